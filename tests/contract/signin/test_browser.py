"""The page in a real browser: the whole way, by keyboard, on a narrow screen, without JavaScript, and with axe."""

from collections.abc import Iterator
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.browser import PATIENCE, browser, faults, is_wide, tab_to
from tests.support.processes.signin import KEY, SignInService

expect.set_options(timeout=PATIENCE)
NARROW: Final[ViewportSize] = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


def opened(chromium: Browser, service: SignInService, *, scripts: bool = True) -> Page:
    """A page of a browser of its own, signed in with the key."""
    context = chromium.new_context(java_script_enabled=scripts, viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{service.url}/auth/")
    page.get_by_label("Key of this page").fill(KEY)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", name="Credentials")).to_be_visible()
    return page


def link_of(page: Page) -> str:
    return str(page.get_by_role("link", name="Open the link to Claude").get_attribute("href"))


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_whole_way(chromium: Browser, service: SignInService, anthropic: Cloud, scripts: bool) -> None:
    page = opened(chromium, service, scripts=scripts)
    page.get_by_role("link", name="default/alice").click()
    page.get_by_role("button", name="Sign in", exact=True).click()
    code = anthropic.approve(link_of(page))
    page.get_by_label("Paste the code that Claude shows").fill(code.partition("#")[0])
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("alert")).to_contain_text("Copy all of it, including the # in the middle")
    page.get_by_label("Paste the code that Claude shows").fill(code)
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_text("Signed in. Nothing: the login is stored")).to_be_visible()
    assert service.login()["accessToken"] in anthropic.accesses
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Anthropic says that the login is valid.")).to_be_visible()
    assert not [secret for secret in anthropic.issued if secret in page.content()]
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Signed out. The login is removed")).to_be_visible()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", name="Sign in to this page")).to_be_visible()
    page.context.close()


def test_by_keyboard_alone(chromium: Browser, service: SignInService, anthropic: Cloud) -> None:
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{service.url}/auth/")
    expect(page.get_by_label("Key of this page")).to_be_focused()
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Credentials")).to_be_visible()
    tab_to(page, "default/alice")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    tab_to(page, "Sign in")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Paste the code that Claude shows")).to_be_focused()
    page.keyboard.type(anthropic.approve(link_of(page)))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signed in. Nothing: the login is stored")).to_be_visible()
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signed out. The login is removed")).to_be_visible()
    page.context.close()


def test_every_page_is_accessible_and_fits_a_narrow_screen(
    chromium: Browser, service: SignInService, anthropic: Cloud
) -> None:
    def look(page: Page) -> None:
        assert faults(page) == []
        page.set_viewport_size(NARROW)
        assert not is_wide(page)
        assert faults(page) == []
        page.set_viewport_size({"width": 1000, "height": 800})

    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        context = chromium.new_context(color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{service.url}/auth/enter")
        look(page)
        page.get_by_label("Key of this page").fill("not the key")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert")).to_contain_text("That is not the key")
        look(page)
        page.get_by_label("Key of this page").fill(KEY)
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("heading", name="Credentials")).to_be_visible()
        look(page)
        page.get_by_role("link", name="default/alice").click()
        expect(page.get_by_role("heading", name="Details")).to_be_visible()
        look(page)
        page.get_by_role("button", name="Sign in", exact=True).click()
        code = anthropic.approve(link_of(page))
        look(page)
        page.get_by_label("Paste the code that Claude shows").fill("half")
        page.get_by_role("button", name="Finish").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look(page)
        page.get_by_label("Paste the code that Claude shows").fill(code)
        page.get_by_role("button", name="Finish").click()
        expect(page.get_by_text("Signed in. Nothing")).to_be_visible()
        look(page)
        page.goto(f"{service.url}/auth/nowhere")
        look(page)
        page.goto(f"{service.url}/auth/credentials/default/alice")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("Signed out. The login is removed")).to_be_visible()
        context.close()


def test_two_people_at_once(chromium: Browser, service: SignInService, anthropic: Cloud) -> None:
    first, second = opened(chromium, service), opened(chromium, service)
    for page in (first, second):
        page.get_by_role("link", name="default/alice").click()
        page.get_by_role("button", name="Sign in", exact=True).click()
    old = anthropic.approve(link_of(first))
    expect(second.get_by_role("heading", name="Somebody else is signing in")).to_be_visible()
    assert faults(second) == []
    # A person in the middle of typing is not disturbed by what the other one does.
    first.get_by_label("Paste the code that Claude shows").fill(old)
    second.get_by_role("button", name="Take over").click()
    code = anthropic.approve(link_of(second))
    expect(first.get_by_text("This page has changed: load it again.")).to_be_visible()
    first.get_by_role("button", name="Finish").click()
    expect(first.get_by_text("This sign-in does not exist any more")).to_be_visible()
    second.get_by_label("Paste the code that Claude shows").fill(code)
    second.get_by_role("button", name="Finish").click()
    expect(second.get_by_text("Signed in. Nothing: the login is stored")).to_be_visible()
    # The other browser shows it by itself.
    expect(first.locator(".badge")).to_have_text("Signed in")
    first.context.close()
    second.context.close()
