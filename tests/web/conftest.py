"""A real browser: Chromium, as Debian or you installed it, driven by Playwright. Nothing may leave the loopback."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hostile_sql import ROOT

sys.path.insert(0, str(Path(__file__).resolve().parent))

SHOTS = ROOT / ".cache" / "screenshots"
SIZES = {"desktop": (1280, 900), "tablet": (820, 1180), "phone": (360, 740)}
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Without Playwright these files cannot even be imported; `make test` leaves them out by their mark.
try:
    from playwright.sync_api import Browser, Page, sync_playwright
except ModuleNotFoundError:
    collect_ignore_glob = ["test_*.py"]
else:
    from playing import Player

    @pytest.fixture(scope="session")
    def browser() -> Iterator[Browser]:
        found = os.environ.get("SQL_ENV_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        assert found, f"no browser: install Debian's chromium, or name one in SQL_ENV_CHROMIUM (looked for {NAMES})"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=found, args=ARGUMENTS, ignore_default_args=["--hide-scrollbars"]
            )
            yield browser
            browser.close()

    @pytest.fixture
    def visit(browser: Browser) -> Iterator[Callable[..., Player]]:
        """Open the page as a new visitor; at the end no script may have failed and nothing been asked of elsewhere."""
        opened: list[tuple[Page, list[str], list[str]]] = []

        def open_page(base_url: str, size: str = "desktop", scheme: str = "light") -> Player:
            width, height = SIZES[size]
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page, faults, elsewhere = context.new_page(), [], []
            page.set_default_timeout(15_000)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
            page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
            page.on("request", lambda one: elsewhere.append(one.url))
            opened.append((page, faults, elsewhere))
            page.goto(f"{base_url}/web")
            page.wait_for_selector("[data-ready]")
            page.locator("#choose [name=dataset] option").first.wait_for(state="attached")
            return Player(page)

        yield open_page
        for page, faults, requests in opened:
            page.context.close()
            assert faults == []
            hosts = {urlsplit(url).hostname for url in requests if not url.startswith(("data:", "about:"))}
            assert hosts <= {"127.0.0.1"}, hosts

    @pytest.fixture(scope="session")
    def shots() -> Path:
        """Where screenshots are kept, for people to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        return SHOTS
