"""A real browser: the pinned Chromium of ``.clients/browser``, driven by Playwright, and axe for accessibility."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Error, Page, sync_playwright

FOLDER: Final = Path(__file__).parents[3] / ".clients" / "browser"
_CHROMIUM: Final = FOLDER / "chromium" / "chromium"
_AXE: Final = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE: Final = 60_000
"""Milliseconds until a step of the browser is given up."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium without a window. Raises AssertionError if it is not installed."""
    assert _CHROMIUM.exists(), f"{_CHROMIUM} is missing: make setup-clients"
    home = FOLDER / "chromium"
    environment: dict[str, str | float | bool] = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LD_LIBRARY_PATH": str(home / "lib"),
        "FONTCONFIG_FILE": str(home / "fonts.conf"),
    }
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=_CHROMIUM,
            args=["--no-zygote", "--disable-gpu", "--disable-dev-shm-usage"],
            chromium_sandbox=False,
            env=environment,
        )
        yield running
        running.close()


def faults(page: Page) -> list[str]:
    """Return what axe finds wrong with the page, by rule and element.

    A page that shows news of the service reloads itself, and axe stops in the middle; it then looks at the new page.
    """
    found = _found(page)
    while found is None:
        page.wait_for_load_state()
        found = _found(page)
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def _found(page: Page) -> dict[str, Any] | None:
    """Return what axe says; None where the page went away meanwhile."""
    loaded = page.evaluate("performance.timeOrigin")
    try:
        page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = page.evaluate("axe.run()")
    except Error:
        page.wait_for_load_state()
        if page.evaluate("performance.timeOrigin") == loaded:
            raise
        return None
    return found


def is_wide(page: Page) -> bool:
    """Whether the page needs horizontal scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element with this text or label has the focus, as somebody without a mouse does."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(e => (e.labels && e.labels[0] ? e.labels[0].textContent : e.textContent).trim())(document.activeElement)"
        )
        if focused == name:
            return
    raise AssertionError(f"{name!r} is not reached with the keyboard")
