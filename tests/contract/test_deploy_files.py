"""The files under scripts/deploy/: valid by Kubernetes' schemas, agreed with the image, the settings, the metrics."""

import copy
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hostile_sql import ROOT

from sql_env.server.settings import Settings, variable

DEPLOY = ROOT / "scripts" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ("1.27", "1.30", kubernetes_validate.latest_version().rpartition(".")[0])
OTHERS = {"kustomization.yaml", "prometheus-adapter.yaml"}
"""Files for other programs than the Kubernetes API."""

SETTINGS = {variable(field) for field in Settings.__dataclass_fields__.values()}
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
HAPROXY = (DEPLOY / "haproxy.cfg").read_text("utf-8")
DOCKERFILE = (ROOT / "server" / "Dockerfile").read_text("utf-8")


def manifests() -> list[dict[str, Any]]:
    files = [path for path in sorted(KUBERNETES.glob("*.yaml")) if path.name not in OTHERS]
    return [document for path in files for document in yaml.safe_load_all(path.read_text("utf-8"))]


def of_kind(kind: str) -> dict[str, Any]:
    return next(manifest for manifest in manifests() if manifest["kind"] == kind)


DEPLOYMENT = of_kind("Deployment")
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
ENVIRON = {entry["name"]: entry["value"] for entry in CONTAINER["env"]}


def default(text: str) -> str:
    """The value of a Compose variable that is not set: ``${NAME:-value}``."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(text))


# --- Kubernetes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", manifests(), ids=lambda told: f"{told['kind']} {told['metadata']['name']}")
def test_manifests_are_valid(manifest: dict[str, Any], version: str) -> None:
    assert kubernetes_validate.validate(manifest, version, strict=True) == version


def broken() -> dict[str, dict[str, Any]]:
    """The Deployment with a fault of each kind that a hand makes."""
    made = {name: copy.deepcopy(DEPLOYMENT) for name in ("a misspelt field", "a wrong type", "a field is missing")}
    misspelt = made["a misspelt field"]["spec"]["template"]["spec"]
    misspelt["terminationGracePeriod"] = misspelt.pop("terminationGracePeriodSeconds")
    made["a wrong type"]["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"] = 300
    del made["a field is missing"]["spec"]["selector"]
    scaler = copy.deepcopy(of_kind("HorizontalPodAutoscaler"))
    scaler["spec"]["metrics"][0]["pods"]["target"]["averageValues"] = "64"
    return made | {"a misspelt metric": scaler}


@pytest.mark.parametrize("fault", broken())
def test_the_checker_finds(fault: str) -> None:
    """Being valid means something."""
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken()[fault], VERSIONS[-1], strict=True)


def test_kustomization_names_every_manifest_and_the_image() -> None:
    named = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))
    assert set(named["resources"]) == {path.name for path in KUBERNETES.glob("*.yaml")} - OTHERS
    assert [image["name"] for image in named["images"]] == [CONTAINER["image"].partition(":")[0]] == ["sql-env"]


def test_selectors_and_ports_agree() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == labels
    assert [port["containerPort"] for port in CONTAINER["ports"]] == [exposed_port()]
    services = {told["metadata"]["name"]: told["spec"] for told in manifests() if told["kind"] == "Service"}
    assert all(service["selector"] == labels for service in services.values())
    assert all(port["targetPort"] == "http" for service in services.values() for port in service["ports"])
    assert "sessionAffinity" not in services["sql-env"], "all sessions of one trainer would come to one Pod"
    assert services["sql-env-mcp"]["sessionAffinity"] == "ClientIP"
    assert services["sql-env-pods"]["publishNotReadyAddresses"] is True
    scaled = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", DEPLOYMENT["metadata"]["name"])


def exposed_port() -> int:
    return int(re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[0])


def test_a_draining_pod_is_not_ready_and_not_killed() -> None:
    paths = {kind: CONTAINER[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths["readiness"] == paths["startup"] == "/health"
    assert paths["liveness"] == "/metrics", "/health answers 503 for as long as a server drains"
    drain, waits = float(ENVIRON["SQL_ENV_DRAIN_SECONDS"]), re.findall(r"sleep\((\d+)\)", str(CONTAINER["lifecycle"]))
    assert drain > 0
    assert POD["terminationGracePeriodSeconds"] > drain + float(waits[0]) + Settings().stop_seconds
    down = of_kind("HorizontalPodAutoscaler")["spec"]["behavior"]["scaleDown"]
    assert all(policy["value"] == 1 for policy in down["policies"])
    assert min(policy["periodSeconds"] for policy in down["policies"]) > POD["terminationGracePeriodSeconds"]


def test_the_pod_may_do_nothing() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    may = CONTAINER["securityContext"]
    assert (may["readOnlyRootFilesystem"], may["allowPrivilegeEscalation"]) == (True, False)
    assert may["capabilities"] == {"drop": ["ALL"]}


def test_the_session_metric_exists_and_is_worth_scaling_by() -> None:
    (metric,) = of_kind("HorizontalPodAutoscaler")["spec"]["metrics"]
    name, target = metric["pods"]["metric"]["name"], float(metric["pods"]["target"]["averageValue"])
    assert f"`{name}`" in (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert f'watch("{name.removeprefix("sql_env_")}"' in sources()
    rules = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text("utf-8"))["rules"]["custom"]
    assert [rule["seriesQuery"].partition("{")[0] for rule in rules] == [name]
    assert target < float(ENVIRON["SQL_ENV_MAX_SESSIONS"])


def sources() -> str:
    """The server's modules: the one that knows a figure adds its gauge."""
    return "".join(path.read_text("utf-8") for path in (ROOT / "server").glob("*.py"))


# --- Compose ---------------------------------------------------------------------------------------------


def test_settings_exist() -> None:
    given = set(COMPOSE["services"]["sqlenv"]["environment"]) | set(ENVIRON)
    assert given - {"OPENENV_MODE"} <= SETTINGS
    assert "SQL_ENV_DRAIN_SECONDS" in given
    assert set(COMPOSE["services"]["balancer"]["environment"]) == set(re.findall(r"\$\{(\w+)\}", HAPROXY))


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_services_are_locked_down(service: str) -> None:
    told = COMPOSE["services"][service]
    assert told["read_only"] is True
    assert (told["cap_drop"], told["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert told["pids_limit"]
    assert told["mem_limit"]
    drain = float(default(COMPOSE["services"]["sqlenv"]["environment"]["SQL_ENV_DRAIN_SECONDS"]))
    assert float(default(told["stop_grace_period"]).rstrip("s")) > drain > 0
    assert all(port.startswith("127.0.0.1:") for port in told.get("ports", [])), "on the loopback only"


def test_only_the_balancer_is_reached_from_outside() -> None:
    assert "ports" not in COMPOSE["services"]["sqlenv"]
    assert default(COMPOSE["services"]["sqlenv"]["image"]) == "sql-env:latest"
    assert default(COMPOSE["services"]["sqlenv"]["deploy"]["replicas"]) == "3"


def test_the_balancer_finds_the_replicas_and_waits_longer_than_they_do() -> None:
    assert re.search(rf"^ +server-template \w+ 1-\d+ sqlenv:{exposed_port()}$", HAPROXY, re.MULTILINE)
    assert "option httpchk GET /health\n" in HAPROXY
    assert "on-marked-down" not in re.sub("#.*", "", HAPROXY), "it would end the sessions of a draining replica"
    minutes = {name: float(value) for name, value in re.findall(r"^ +timeout (\w+) (\d+)m$", HAPROXY, re.MULTILINE)}
    idle = Settings().session_timeout / 60
    assert min(minutes["client"], minutes["server"]) > idle
    assert minutes["tunnel"] > 2 * idle, "the server lets go of a silent WebSocket by itself"
    assert float(re.findall(r"expire (\d+)m", HAPROXY)[0]) > idle
    published = {port.rpartition(":")[2] for port in COMPOSE["services"]["balancer"]["ports"]}
    assert published == set(re.findall(r"^ +bind :(\d+)$", HAPROXY, re.MULTILINE))


def test_no_file_is_forgotten() -> None:
    assert {path.name for path in DEPLOY.iterdir()} == {"compose.yaml", "haproxy.cfg", "roll.sh", "kubernetes"}
    assert (DEPLOY / "roll.sh").stat().st_mode & 0o111
