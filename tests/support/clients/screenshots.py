"""Takes the screenshots of the documentation: the real page, the real CLI, a stand-in for Anthropic."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize
from tests.support.clients.anthropic_cloud import cloud
from tests.support.clients.browser import browser
from tests.support.processes.signin import KEY, LOGIN, TOKEN, signin, store

from claude_gateway_scripted import Scripted

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
_SIZE: Final[ViewportSize] = {"width": 900, "height": 720}
_CAROL: Final = {**LOGIN, "name": "carol", "owner": "carol@example.com", "secretName": "carol-login"}


def main() -> int:
    """Write the images."""
    IMAGES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scripted = stack.enter_context(Scripted())
        anthropic = stack.enter_context(cloud(scripted.url, folder))
        service_folder = folder / "service"
        service_folder.mkdir()
        store(service_folder, anthropic.login())
        expired = anthropic.login(seconds=5)
        anthropic.refreshes.discard(expired["claudeAiOauth"]["refreshToken"])
        store(service_folder, expired, _CAROL)
        credentials = (LOGIN, TOKEN, _CAROL)
        service = stack.enter_context(signin(service_folder, anthropic.environment, credentials=credentials))
        chromium = stack.enter_context(browser())
        page = chromium.new_page(viewport=_SIZE)
        page.goto(f"{service.url}/auth/")
        page.get_by_label("Key of this page").fill(KEY)
        page.get_by_role("button", name="Enter").click()
        page.get_by_text("Sign in again", exact=True).wait_for()
        _take(page, "sign-in-overview")
        page.get_by_role("link", name="default/bob").click()
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_label("Paste the code that Claude shows").wait_for()
        _take(page, "sign-in-code")
    return 0


def _take(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
