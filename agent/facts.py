"""What a server says of itself at ``/metrics``, so that it may run anywhere."""

import httpx

MEMORY, THREADS, DESCRIPTORS, SESSIONS = FACTS = (
    "process_resident_memory_bytes",
    "sql_env_threads",
    "process_open_fds",
    "sql_env_sessions_open",
)
WORKERS = "sql_env_workers"
CPU = "process_cpu_seconds_total"


async def read_facts(base_url: str) -> dict[str, float]:
    """Return what the server says of itself: memory in bytes, threads, descriptors, open sessions.

    Raises:
        httpx.HTTPError: it does not answer.
    """
    values = await read_metrics(base_url)
    return {name: values[name] for name in FACTS}


async def read_metrics(base_url: str) -> dict[str, float]:
    """Return all that the server counts, by name and labels; nothing for a server that does not count.

    Raises:
        httpx.HTTPError: it does not answer.
    """
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"{base_url.rstrip('/')}/metrics")
    if answer.status_code != httpx.codes.OK:
        return {}
    return parse_metrics(answer.text)


def parse_metrics(text: str) -> dict[str, float]:
    """Return the values of Prometheus' text format, by name and labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line[:1] not in ("#", ""))
    return {name: float(value) for name, _, value in lines}
