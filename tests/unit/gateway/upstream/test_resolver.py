"""Names to addresses while the name service answers, fails, or is silent."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.http import resolver
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused, Resolver


def found(address: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]


class Names:
    """A name service: answers with ``answer``, raises it, or is silent until ``speak``."""

    def __init__(self) -> None:
        self.answer: list[Any] | OSError = found("192.0.2.1")
        self.asked = 0
        self.silent = False
        self._speaks = threading.Event()

    def __call__(self, _host: str, _port: int, **_: object) -> list[Any]:
        self.asked += 1
        if self.silent:
            self._speaks.wait(30)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    def speak(self) -> None:
        self.silent = False
        self._speaks.set()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A name service whose answers are forgotten at once, so that each question is asked."""
    monkeypatch.setattr(resolver, "_SECONDS", 0.0)
    monkeypatch.setattr(resolver, "_SOON_SECONDS", 30.0)
    return Names()


def addresses(answer: list[Any]) -> list[str]:
    return [each[4][0] for each in answer]


async def test_a_new_answer_replaces_the_last_one(names: Names) -> None:
    asked = Resolver(None, lookup=names)
    assert addresses(await asked.resolve("api.example", 443)) == ["192.0.2.1"]
    names.answer = found("192.0.2.2")
    await asyncio.sleep(0.02)
    assert addresses(await asked.resolve("api.example", 443)) == ["192.0.2.2"]


async def test_while_the_name_service_fails_the_last_addresses_are_used(names: Names) -> None:
    asked = Resolver(None, lookup=names)
    await asked.resolve("api.example", 443)
    names.answer = socket.gaierror(socket.EAI_AGAIN, "temporary failure")
    for _ in range(3):
        assert addresses(await asked.resolve("api.example", 443)) == ["192.0.2.1"]


async def test_while_the_name_service_is_silent_the_last_addresses_are_used(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "_SOON_SECONDS", 0.01)
    asked = Resolver(None, lookup=names)
    await asked.resolve("api.example", 443)
    names.silent = True
    assert addresses(await asked.resolve("api.example", 443)) == ["192.0.2.1"]
    names.answer = found("192.0.2.2")
    names.speak()


async def test_a_name_that_is_gone_is_gone(names: Names) -> None:
    asked = Resolver(None, lookup=names)
    await asked.resolve("api.example", 443)
    names.answer = socket.gaierror(socket.EAI_NONAME, "unknown")
    with pytest.raises(socket.gaierror):
        await asked.resolve("api.example", 443)


async def test_the_last_addresses_are_not_used_for_ever(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "_LAST_SECONDS", 0.0)
    asked = Resolver(None, lookup=names)
    await asked.resolve("api.example", 443)
    names.answer = socket.gaierror(socket.EAI_AGAIN, "temporary failure")
    with pytest.raises(socket.gaierror):
        await asked.resolve("api.example", 443)


async def test_a_name_that_was_never_known_is_given_up(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOKUP_SECONDS", 0.02)
    names.silent = True
    with pytest.raises(socket.gaierror, match="does not answer"):
        await Resolver(None, lookup=names).resolve("api.example", 443)
    names.speak()


async def test_silent_names_do_not_keep_others_waiting(names: Names) -> None:
    """The loop looks up two names at a time in threads of its own: two dead ones would stop all others."""
    quick = Names()
    names.silent = True

    def either(host: str, port: int, **more: object) -> list[Any]:
        return (names if host.startswith("dead") else quick)(host, port, **more)

    asked = Resolver(None, lookup=either)
    dead = [asyncio.create_task(asked.resolve(f"dead-{number}.example", 443)) for number in range(12)]
    async with asyncio.timeout(20):
        assert addresses(await asked.resolve("api.example", 443)) == ["192.0.2.1"]
    assert not any(task.done() for task in dead)
    names.speak()
    await asyncio.gather(*dead)


async def test_addresses_that_are_refused_now_are_not_used_as_the_last_ones(names: Names) -> None:
    asked = Resolver(Egress(), lookup=names)
    await asked.resolve("api.example", 443)
    names.answer = found("169.254.169.254")
    with pytest.raises(AddressRefused):
        await asked.resolve("api.example", 443)
    names.answer = socket.gaierror(socket.EAI_AGAIN, "temporary failure")
    with pytest.raises(socket.gaierror):
        await asked.resolve("api.example", 443)
