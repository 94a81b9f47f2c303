"""Code that reads untrusted text is linear: a text that is four times as long costs about four times as much."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from tests.support import regexes
from tests.support.growth import Run, steep

import claude_gateway.contract
import claude_gateway_proxy
import claude_gateway_runtime
from claude_gateway_proxy.gateway.body.document import parse, readable, splice
from claude_gateway_proxy.gateway.body.estimate import tokens
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.safeguards.request import document

PACKAGES: Final = (claude_gateway_proxy, claude_gateway_runtime, claude_gateway.contract)
HIDDEN: Final = ("claude_gateway_proxy.litellm.limits:", "claude_gateway_proxy.litellm.targets:")
"""Modules that use a pattern from a call: to build other patterns, and on a model's name, whose length is bounded."""

FOUND: Final = list(regexes.regexes(*PACKAGES))


def growth(found: regexes.Regex) -> str | None:
    """Return what is wrong with a regex, with the first text that shows it."""
    for name, use in found.uses():
        for shown, text in regexes.attacks(found.pattern):

            def make(size: int, use: Callable[[Any], object] = use, text: Callable[[int], Any] = text) -> Run:
                made = text(size)
                return lambda: use(made)

            problem = steep(make)
            if problem is not None:
                return f"{name} of {shown}: {problem}"
    return None


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.place)
def test_a_regex_is_linear(found: regexes.Regex) -> None:
    assert growth(found) is None


def test_no_regex_hides_within_a_call() -> None:
    assert [place for place in regexes.hidden(*PACKAGES) if not place.startswith(HIDDEN)] == []


@pytest.mark.parametrize("pattern", ["<s>.*?</s>", r"[ \t]+$", r"https?://[^\s?]+\?"])
def test_what_is_not_linear_is_found(pattern: str) -> None:
    assert growth(regexes.Regex("", re.compile(pattern, re.DOTALL), ("search",))) is not None


def body(inner: bytes) -> bytes:
    return b'{"model":"m","max_tokens":5,%s}' % inner


BODIES: Final[dict[str, Callable[[int], bytes]]] = {
    "a long key": lambda size: body(b'"%s":1' % (b"k" * size)),
    "an escaped key": lambda size: body(b'"%s":1' % (rb"\"" * size)),
    "many keys": lambda size: body(b",".join(b'"k%d":1' % number for number in range(size))),
    "keys in capitals": lambda size: body(b",".join(b'"K%d":1' % number for number in range(size))),
    "one key again and again": lambda size: body(b",".join([b'"k":1'] * size)),
    "white space": lambda size: body(b" " * size + b'"k"' + b"\n" * size + b":1"),
    "halves": lambda size: body(b'"k":"%s"' % (rb"\ud83d" * size)),
    "depth": lambda size: body(b'"k":' + b"[" * size + b"]" * size),
    "a long text": lambda size: body(b'"messages":[{"role":"user","content":"%s"}]' % (b"<system-reminder>" * size)),
    "many messages": lambda size: body(b'"messages":[%s]' % b",".join([b'{"role":"user","content":"x"}'] * size)),
    "many tools": lambda size: body(b'"tools":[%s]' % b",".join([b'{"type":"advisor","model":"m"}'] * size)),
    "many models": lambda size: body(b'"models":[%s]' % b",".join([b'"m"'] * size)),
    "digits": lambda size: body(b'"k":%s' % (b"1" * size)),
}


def _read(raw: bytes) -> None:
    try:
        found = parse(raw)
        list(further_models(found))
        document(found, context={}, calls=[])
        splice(found, {"model": b'"x"', "k": None})
        facts = Facts(found)
        assert (facts.images, facts.tools, facts.thinking, facts.effort) is not None
    except (Failure, msgspec.DecodeError):
        return


@pytest.mark.parametrize("read", [_read, readable, tokens], ids=["body", "readable", "tokens"])
@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_read_in_linear_time(kind: str, read: Callable[[bytes], object]) -> None:
    def make(size: int) -> Run:
        raw = BODIES[kind](size)
        return lambda: read(raw)

    assert steep(make, scale=4) is None
