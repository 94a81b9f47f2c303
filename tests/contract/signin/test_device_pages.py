"""The pages of the device login in a real browser: the whole way, by keyboard, on a narrow screen, and with axe."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from tests.contract.signin.test_devices import ADA, begin, environment, poll
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.browser import PATIENCE, browser, faults, is_wide, tab_to
from tests.support.clients.oidc import Provider
from tests.support.processes.ports import free_port
from tests.support.processes.signin import SignInService, signin

expect.set_options(timeout=PATIENCE)
LONG: Final = f"{'wide-' * 12}ada@{'example.' * 20}com"
"""An address that does not fit on a narrow screen in one line."""
CODE: Final = "Code in your terminal"
AWAY: Final = "Continue to your organisation's sign-in"
SCREENS: Final[tuple[ViewportSize, ...]] = ({"width": 1000, "height": 800}, {"width": 320, "height": 640})


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def service(anthropic: Cloud, organisation: Provider, key_file: Path, tmp_path: Path) -> Iterator[SignInService]:
    """The service at an address that browsers reach."""
    address = f"127.0.0.1:{free_port()}"
    found = environment(anthropic, organisation, key_file)
    public = {"CLAUDE_GATEWAY_LISTEN": address, "CLAUDE_GATEWAY_PUBLIC_URL": f"http://{address}"}
    with signin(tmp_path / "service", {**found, **public}) as running:
        yield running


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page of a browser of its own, which trusts the organisation's provider."""
    contexts = []

    def opened(*, scheme: Literal["light", "dark"] = "light", scripts: bool = True) -> Page:
        context = chromium.new_context(color_scheme=scheme, java_script_enabled=scripts, ignore_https_errors=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        return page

    yield opened
    for context in contexts:
        context.close()


def look(page: Page) -> None:
    """Require that a page is accessible, and fits every screen."""
    page.wait_for_load_state()
    for screen in SCREENS:
        page.set_viewport_size(screen)
        assert not is_wide(page)
        assert faults(page) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_person_signs_a_terminal_in(
    open_page: Callable[..., Page], service: SignInService, organisation: Provider, scripts: bool
) -> None:
    organisation.visitor = ADA
    begun = begin(service)
    page = open_page(scripts=scripts)
    page.goto(begun["verification_uri_complete"])
    expect(page.get_by_label(CODE)).to_have_value(begun["user_code"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name=AWAY).click()
    expect(page.get_by_role("heading", name=f"Sign in Claude Code as {ADA}?")).to_be_visible()
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name=f"Signed in as {ADA}")).to_be_visible()
    assert poll(service, begun["device_code"]).json()["email"] == ADA


def test_by_keyboard_alone(open_page: Callable[..., Page], service: SignInService, organisation: Provider) -> None:
    organisation.visitor = ADA
    begun = begin(service)
    page = open_page()
    page.goto(begun["verification_uri"])
    expect(page.get_by_label(CODE)).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This code is not known")
    # Whoever hears the page hears what is wrong where the cursor is.
    field = page.get_by_label(CODE)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        "This code is not known, or it was used or has expired. Compare it "
        "with the one in your terminal, or start the sign-in there again. Continue only if you started this sign-in "
        "yourself, and if the code is the one that your own terminal shows. Never enter a code that somebody sent you."
    )
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(begun["user_code"].lower().replace("-", " "))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=begun["user_code"])).to_be_visible()
    tab_to(page, AWAY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Sign in Claude Code as {ADA}?")).to_be_visible()
    tab_to(page, "This was not me")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
    assert poll(service, begun["device_code"]).json()["error"] == "access_denied"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_narrow_screen(
    open_page: Callable[..., Page],
    service: SignInService,
    organisation: Provider,
    scheme: Literal["light", "dark"],
) -> None:
    organisation.visitor = LONG
    begun = begin(service)
    page = open_page(scheme=scheme)
    page.goto(begun["verification_uri"])
    look(page)
    page.get_by_label(CODE).fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look(page)
    page.get_by_label(CODE).fill(begun["user_code"])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name=begun["user_code"])).to_be_visible()
    look(page)
    page.get_by_role("link", name=AWAY).click()
    expect(page.get_by_role("heading", name=LONG)).to_be_visible()
    look(page)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name=f"Signed in as {LONG}")).to_be_visible()
    look(page)
    page.goto(f"{service.url}/auth/device/confirm?user_code=GONE-GONE")
    expect(page.get_by_role("heading", name="Start again")).to_be_visible()
    look(page)
    denied = begin(service)
    page.goto(denied["verification_uri_complete"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name=AWAY).click()
    page.get_by_role("button", name="This was not me").click()
    expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
    look(page)


def test_who_cancels_at_the_provider_comes_back_to_the_code(
    open_page: Callable[..., Page], service: SignInService, organisation: Provider
) -> None:
    """They do not land on the list of subscriptions, which most of them may not see."""
    begun = begin(service)
    page = open_page()
    page.goto(begun["verification_uri_complete"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name=AWAY).click()
    expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Enter the code again").click()
    expect(page.get_by_label(CODE)).to_be_visible()
    organisation.visitor = ADA
    page.get_by_label(CODE).fill(begun["user_code"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name=AWAY).click()
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name=f"Signed in as {ADA}")).to_be_visible()
    page.goto(f"{service.url}/auth/oidc/callback?error=access_denied&state=x")
    expect(page.get_by_role("link", name="Back to the list")).to_be_visible()
