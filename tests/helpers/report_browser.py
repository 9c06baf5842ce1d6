"""Headless Chromium for the tests and the benchmark of the page, where there is one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome-headless-shell")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The path of a Chromium (AGENTDISTILL_CHROMIUM first), or None without one or without Playwright's package."""
    if find_spec("playwright") is None:
        return None
    named = os.environ.get("AGENTDISTILL_CHROMIUM")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


@dataclass
class Opened:
    """A page that has opened, what it complained about and what it asked of a network."""

    page: Any
    seconds: float = 0.0  # from the request to the element waited for
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # other than the page itself


@contextmanager
def browser() -> Iterator[Any]:
    """A running Chromium, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield running
        finally:
            running.close()


@contextmanager
def open_page(
    running: Any,
    path: Path,
    wait_for: str,
    fragment: str = "",
    scheme: str = "light",
    width: int = 1360,
    height: int = 950,
) -> Iterator[Opened]:
    """Open a file with an empty profile of its own, until the element `wait_for` is there."""
    context = running.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    try:
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
        opened.page.on("pageerror", lambda error: opened.complaints.append(f"error: {error}"))
        url = f"{path.resolve().as_uri()}{fragment}"
        opened.page.on("request", lambda request: _record(opened, request.url, url))
        start = time.perf_counter()
        opened.page.goto(url, wait_until="commit")
        opened.page.locator(wait_for).first.wait_for(timeout=60_000)
        opened.seconds = time.perf_counter() - start
        yield opened
    finally:
        context.close()


def _record(opened: Opened, url: str, own: str) -> None:
    if url != own and not url.startswith("data:"):
        opened.requests.append(url)
