"""Takes the screenshots of the documentation: the real page, the real CLI, stand-ins for Anthropic and a provider."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
from playwright.sync_api import Browser, Page, ViewportSize
from tests.support.builders.certificates import signing_key
from tests.support.clients.anthropic_cloud import Cloud, cloud
from tests.support.clients.browser import browser
from tests.support.clients.oidc import CLIENT, provider
from tests.support.processes.ports import free_port
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
        _device(stack, chromium, folder, anthropic)
    return 0


def _device(stack: ExitStack, chromium: Browser, folder: Path, anthropic: Cloud) -> None:
    """Take the page on which a person signs a terminal in."""
    organisation = stack.enter_context(provider(folder))
    organisation.visitor = "ada@example.com"
    (folder / "signing.pem").write_text(signing_key())
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **anthropic.environment,
        "NODE_EXTRA_CA_CERTS": organisation.authority,
        "CLAUDE_GATEWAY_LISTEN": address,
        "CLAUDE_GATEWAY_PUBLIC_URL": f"http://{address}",
        "CLAUDE_GATEWAY_OIDC_ISSUER": organisation.issuer,
        "CLAUDE_GATEWAY_OIDC_CLIENT_ID": CLIENT,
        "CLAUDE_GATEWAY_SIGNING_KEY_FILE": str(folder / "signing.pem"),
    }
    service = stack.enter_context(signin(folder / "devices", environment))
    begun = httpx.post(f"{service.url}/oauth/device_authorization").json()
    page = chromium.new_page(viewport={**_SIZE, "height": 380}, ignore_https_errors=True)
    page.goto(begun["verification_uri_complete"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Continue to your organisation's sign-in").click()
    page.get_by_role("button", name="This was not me").wait_for()
    _take(page, "sign-in-device")


def _take(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
