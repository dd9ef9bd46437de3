"""A simulation of the part of the Hugging Face hub's HTTP API that uploads use, to see what would be uploaded.

It answers as the hub does to whoami-v2, repos/create, validate-yaml, preupload, LFS batch, upload and verify, commit,
variables and secrets, and keeps the files of a Space or a model. It builds and runs nothing. Xet, the hub's other
storage for large files, is not simulated: where the client would use it, every file is asked for in the commit itself.
"""

import base64
import contextlib
import hashlib
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN = "hf_made_up_for_tests"
USER = "somebody"
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@dataclass
class Hub:
    """What the hub holds and was asked; ``lfs`` says whether it wants binary files as LFS objects."""

    url: str
    lfs: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    spaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    as_lfs: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        for pattern, answer in _ROUTES.items():
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return answer(self, body, *found.groups())
        return 404, {"error": f"this simulation knows no {method} {path}"}

    def whoami(self, _body: bytes) -> tuple[int, Any]:
        return 200, {"type": "user", "name": USER, "fullname": "Some Body", "orgs": []}

    def create(self, body: bytes) -> tuple[int, Any]:
        wanted = json.loads(body)
        name = f"{wanted['organization'] or USER}/{wanted['name']}"
        if name in self.spaces:
            return 409, {"error": "You already created this space repo", "url": f"{self.url}/spaces/{name}"}
        self.spaces[name] = wanted
        return 200, {"url": f"{self.url}/spaces/{name}", "name": name}

    def validate_yaml(self, body: bytes) -> tuple[int, Any]:
        """Check what a page needs of the README's front matter."""
        asked = json.loads(body)
        parts = asked["content"].split("---\n")
        matter = yaml.safe_load(parts[1]) if len(parts) > 2 and not parts[0] else {}
        if asked["repoType"] == "model":
            named = matter.get("base_model")
            wrong = {"base_model": not (named is None or re.fullmatch(r"[\w.-]+/[\w.-]+", named))}
            wrong |= {"tags": not matter.get("tags"), "library_name": matter.get("library_name") != "transformers"}
            errors = [{"message": f'"{name}" is missing or wrong'} for name, is_wrong in wrong.items() if is_wrong]
            return (400 if errors else 200), {"errors": errors, "warnings": []}
        wrong = {
            "title": not matter.get("title"),
            "emoji": not re.fullmatch(r"[^\w\s]{1,3}", str(matter.get("emoji", ""))),
            "colorFrom": matter.get("colorFrom") not in COLOURS,
            "colorTo": matter.get("colorTo") not in COLOURS,
            "sdk": matter.get("sdk") not in ("docker", "gradio", "static"),
            "app_port": not isinstance(matter.get("app_port", 7860), int),
            "short_description": not 0 < len(matter.get("short_description", "-")) <= 60,
        }
        errors = [{"message": f'"{name}" is missing or wrong'} for name, is_wrong in wrong.items() if is_wrong]
        return (400 if errors else 200), {"errors": errors, "warnings": []}

    def preupload(self, body: bytes, space: str) -> tuple[int, Any]:
        if space not in self.spaces:
            return 404, {"error": "Repository not found"}
        asked = json.loads(body)
        rules = asked.get("gitIgnore") or self.files.get(".gitignore", b"").decode()
        ignored = _ignored(rules, [file["path"] for file in asked["files"]])
        self.ignored |= ignored
        return 200, {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if self.lfs and b"\0" in base64.b64decode(file["sample"]) else "regular",
                    "shouldIgnore": file["path"] in ignored,
                }
                for file in asked["files"]
            ]
        }

    def batch(self, body: bytes, _space: str) -> tuple[int, Any]:
        def action(thing: dict[str, Any]) -> dict[str, Any]:
            if thing["oid"] in self.objects:
                return thing
            where = {kind: {"href": f"{self.url}/lfs/{thing['oid']}"} for kind in ("upload", "verify")}
            return thing | {"actions": where}

        return 200, {"transfer": "basic", "objects": [action(thing) for thing in json.loads(body)["objects"]]}

    def upload(self, body: bytes, oid: str) -> tuple[int, Any]:
        if hashlib.sha256(body).hexdigest() != oid:
            return 400, {"error": "these bytes are not of that name"}
        self.objects[oid] = body
        return 200, {}

    def verify(self, body: bytes, oid: str) -> tuple[int, Any]:
        return (200 if len(self.objects.get(oid, b"")) == json.loads(body)["size"] else 422), {}

    def commit(self, body: bytes, space: str) -> tuple[int, Any]:
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "file":
                    self.files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in self.objects:
                        return 400, {"error": f"{value['path']}: its object was not uploaded"}
                    self.files[value["path"]] = self.objects[value["oid"]]
                    self.as_lfs.add(value["path"])
                case "deletedFile":
                    del self.files[value["path"]]
        oid = hashlib.sha1(body).hexdigest()
        return 200, {"commitUrl": f"{self.url}/spaces/{space}/commit/{oid}", "commitOid": oid, "success": True}

    def variable(self, body: bytes, _space: str, _kind: str) -> tuple[int, Any]:
        entry = json.loads(body)
        self.variables[entry["key"]] = entry["value"]
        return 200, {}


_SPACE = "([^/]+/[^/]+)"
_KIND = "(?:spaces|models)"
_ROUTES = {
    "GET /api/whoami-v2": Hub.whoami,
    "POST /api/repos/create": Hub.create,
    "POST /api/validate-yaml": Hub.validate_yaml,
    f"POST /api/{_KIND}/{_SPACE}/preupload/main": Hub.preupload,
    f"POST /(?:spaces/)?{_SPACE}\\.git/info/lfs/objects/batch": Hub.batch,
    "PUT /lfs/([0-9a-f]{64})": Hub.upload,
    "POST /lfs/([0-9a-f]{64})": Hub.verify,
    f"POST /api/{_KIND}/{_SPACE}/commit/main": Hub.commit,
    f"POST /api/spaces/{_SPACE}/(variables|secrets)": Hub.variable,
}


def _ignored(rules: str, paths: list[str]) -> set[str]:
    """Ask git itself which paths the rules of a .gitignore name."""
    if not rules:
        return set()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        with open(f"{folder}/.gitignore", "w", encoding="utf-8") as file:
            file.write(rules)
        command = ["git", "check-ignore", "--no-index", "--stdin"]
        run = subprocess.run(command, cwd=folder, input="\n".join(paths), capture_output=True, text=True, check=False)
    return set(run.stdout.splitlines())


@contextlib.contextmanager
def simulated_hub(lfs: bool = True) -> Iterator[Hub]:
    """Run a simulated hub on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            # An upload is authorized by its address, as at the hub's storage.
            known = path.startswith("/lfs/") or self.headers.get("Authorization") == f"Bearer {TOKEN}"
            status, answer = hub.answer(self.command, path, body) if known else (401, {"error": "Invalid token"})
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = handle_one

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub = Hub(f"http://127.0.0.1:{server.server_port}", lfs)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
