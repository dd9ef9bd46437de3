"""How tests speak to a served environment: raw WebSocket messages, and what the server says of itself."""

import json
import time
from collections.abc import Callable

import httpx
from websockets.sync.client import ClientConnection

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FOREVER = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
TASK_ID = "allotment_society-001"


def message(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data} if kind != "state" else {"type": kind})


def ask(ws: ClientConnection, kind: str, **data: object) -> dict:
    ws.send(message(kind, **data))
    return json.loads(ws.recv(60))


def metric(base_url: str, name: str) -> float:
    lines = httpx.get(f"{base_url}/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[-1])


def until(holds: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)


def wait_for_no_session(base_url: str, seconds: float = 30) -> None:
    complaint = "idle sessions, or those of clients that left, stay open"
    until(lambda: not metric(base_url, "sql_env_sessions_open"), seconds, complaint)
