"""Signing Claude Code in at a gateway: what a person does in the terminal, and in the browser beside it."""

import re
import time
from collections.abc import Callable
from typing import Final, Self

import httpx
from tests.support.clients.terminal import Terminal
from tests.support.processes.waiting import until

CODE: Final = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}")


class Browser:
    """One person's browser, at the sign-in page; it cannot follow the way to the provider by itself.

    ``confirm`` does there what the person does: address and email → the code and the state to come back with.
    """

    def __init__(self, page: str, confirm: Callable[[str, str], tuple[str, str]]) -> None:
        self.client = httpx.Client(base_url=page, timeout=60)
        self._confirm = confirm

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def csrf(self) -> str:
        """Return the token of the page's forms."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.client.get("/auth/device").text)
        assert found is not None
        return found[1]

    def enter(self, code: str) -> httpx.Response:
        """Enter the code of a device."""
        return self.client.post("/auth/device", data={"user_code": code, "csrf": self.csrf()})

    def sign_in(self, code: str, email: str) -> httpx.Response:
        """Go to the provider and come back."""
        there = self.client.get("/auth/device/sign-in", params={"user_code": code})
        assert there.status_code == 303, there.text
        confirmed, state = self._confirm(there.headers["location"], email)
        return self.client.get("/auth/oidc/callback", params={"code": confirmed, "state": state})

    def decide(self, code: str, decision: str) -> httpx.Response:
        """Approve or deny."""
        form = {"user_code": code, "decision": decision, "csrf": self.csrf()}
        return self.client.post("/auth/device/confirm", data=form)

    def approve(self, code: str, email: str) -> None:
        """Do everything that a person does to sign a device in."""
        assert self.enter(code.lower()).status_code == 200
        assert self.sign_in(code, email).status_code == 303
        assert f"Sign in Claude Code as {email}?" in self.client.get(f"/auth/device/confirm?user_code={code}").text
        assert f"Signed in as {email}" in self.decide(code, "approve").text


def sign_in(terminal: Terminal, browse: Callable[[str], None], *, email: str) -> None:
    """Sign in by ``claude auth login`` in a terminal; ``browse`` does in the browser what the code asks for."""
    terminal.answer("Enter to connect")
    _say_yes(terminal, "Trust gateway")
    terminal.shows("confirm this code")
    browse(until(lambda: "".join(CODE.findall(terminal.screen)[:1]), what="the code"))
    _say_yes(terminal, f"Signed in to Cloud gateway as {email}")
    terminal.shows("Connected to Cloud gateway")


def _say_yes(terminal: Terminal, question: str) -> None:
    """Answer a question in which "No" is preselected."""
    terminal.shows(question)
    while not terminal.has("\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT} Yes"):
        terminal.press("up")
        time.sleep(0.5)
    terminal.answer(question)
