"""The page at ``/web``, to which ``/`` leads: what this server is and how to play on it.

OpenEnv's own web interface is never mounted, whatever ENABLE_WEB_INTERFACE says: all its visitors share one episode.
"""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from sql_env.server.mcp_endpoint import PATH as MCP

PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SQLEnv</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }}
  pre {{ padding: 1rem; overflow-x: auto; border: 1px solid #8886; border-radius: .5rem }}
  code {{ font: .9em ui-monospace, monospace }}
</style>
<h1>SQLEnv</h1>
<p>An environment in which an agent learns to answer questions about a database as an analyst does. It sees a question
and the names of the tables; columns and rows are hidden. It explores with DESCRIBE, SAMPLE and QUERY, and ends the
episode with ANSWER, within 15 steps.</p>
<p>This server plays episodes over a WebSocket. From Python:</p>
<pre><code>from sql_env import SQLAction, SQLEnvClient

with SQLEnvClient(base_url="<span id="url">this page's address</span>").sync() as env:
    seen = env.reset(seed=7).observation
    print(seen.question, seen.schema_info)
    seen = env.step(SQLAction(action_type="QUERY", argument="SELECT 1")).observation
    print(seen.result)</code></pre>
<p>An MCP host (Claude, Cursor) connects to <code>{MCP}</code> and finds five tools there.</p>
<ul>
  <li><a href="../docs">The HTTP interface</a></li>
  <li><a href="../metadata">What this server serves</a></li>
  <li><a href="../health">Whether it is healthy</a></li>
</ul>
<script>document.getElementById("url").textContent = location.origin</script>
</html>
"""


def add_page(app: FastAPI) -> None:
    """Add the page, and the way to it."""

    @app.get("/web", include_in_schema=False)
    @app.get("/web/", include_in_schema=False)
    async def web() -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("web/")
