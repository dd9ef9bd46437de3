"""The routes of the page: its files, what there is to choose from, how an ended episode would have been won.

The page is a client like any other: it plays over ``/ws``, in a session of the visitor's own. OpenEnv's own web
interface is never mounted, whatever ENABLE_WEB_INTERFACE says: all its visitors share one episode.
"""

import hashlib
from pathlib import Path
from typing import Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from sql_env.server.errors import BusyError
from sql_env.server.resources import Resources
from sql_env.server.sessions import Sessions
from sql_env.server.web.ends import Ends
from sql_env.server.web.offers import offers

ASSETS: Final = Path(__file__).parent / "assets"
KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
HEADERS: Final = {
    # Nothing is loaded from elsewhere, and no text of a database or of another visitor can become a script. A Space
    # shows the page in a frame of the hub, so who may frame it is left open: there is nothing to be clicked into.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'self'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_page(app: FastAPI, resources: Resources, sessions: Sessions) -> None:
    """Add the page at ``/web``, and the way to it from ``/``."""
    files = {path.name: _File(path) for path in ASSETS.iterdir() if path.suffix in KINDS}
    page = files.pop("index.html")
    offered, ends = offers(resources), Ends(resources)

    async def to_page() -> RedirectResponse:
        return RedirectResponse("web/")

    async def web(request: Request) -> Response:
        return page.response(request)

    async def offering() -> JSONResponse:
        return JSONResponse(offered, headers=HEADERS)

    async def end(episode_id: str) -> HTMLResponse:
        ended = sessions.ended(episode_id)
        if ended is None:
            raise HTTPException(404, "no session that is open has an episode of this id that is over")
        try:
            return HTMLResponse(await ends.render(ended), headers={**HEADERS, "Cache-Control": "no-store"})
        except BusyError as error:
            raise HTTPException(503, str(error)) from None

    async def asset(name: str, request: Request) -> Response:
        if name not in files:
            raise HTTPException(404)
        return files[name].response(request)

    for path, answer in (
        ("/", to_page),
        ("/web", to_page),
        ("/web/", web),
        ("/web/offers", offering),
        ("/web/ends/{episode_id}", end),
        ("/web/{name}", asset),
    ):
        app.add_api_route(path, answer, methods=["GET", "HEAD"], include_in_schema=False)


class _File:
    """A file of the page, read once."""

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._kind = KINDS[path.suffix]
        self._tag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'

    def response(self, request: Request) -> Response:
        """Return the file, or that the browser's copy is still right."""
        headers = {**HEADERS, "ETag": self._tag}
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=headers)
        return Response(self._body, media_type=self._kind, headers=headers)
