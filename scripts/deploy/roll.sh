#!/bin/sh
# Replaces the replicas of compose.yaml one by one, with the image and the settings as they are now: a new one joins,
# then an old one is told to stop, drains, and is removed. No running episode is lost that ends within the drain.
#   scripts/deploy/roll.sh
# COMPOSE='docker-compose' where Compose is no plugin.
set -eu
cd "$(dirname "$0")"
compose=${COMPOSE:-docker compose}

ready() {
  for replica in $($compose ps --quiet sqlenv); do
    docker exec "$replica" python -m sql_env.server.health || return 1
  done
}

old=$($compose ps --quiet sqlenv)
count=$(echo "$old" | wc -w)
for container in $old; do
  $compose up --detach --no-recreate --scale sqlenv=$((count + 1)) sqlenv
  tries=60
  until ready 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "the new replica is not healthy: nothing else is replaced" >&2; exit 1; }
    sleep 1
  done
  sleep 3  # until the balancer has found it
  docker stop "$container"  # waits for the drain, as long as stop_grace_period says
  docker rm "$container"
done
