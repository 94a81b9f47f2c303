"""Errors that quote the request: what the client wrote teaches nothing about the model."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.repair_log import learn
from claude_gateway_proxy.translation.echoes import without_echoes
from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import Model, Repairs

SAYS = "max_tokens is too large: 99. This model supports at most 10 completion tokens."
OWN = "max_tokens is too large: 900000. This model supports at most 8192 completion tokens."
MODEL = Model("t", "openai/m")


def request(*prompts: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": prompt} for prompt in prompts]
    return {"max_tokens": 900_000, "messages": [{"role": "user", "content": content}], **more}


async def learned(words: str, asked: dict[str, Any]) -> Any:
    """The output limit of another client's request, after one with these words was taken in another form."""
    repairs = Repairs(clock=lambda: 0.0)
    await learn(repairs, MODEL, [(Refusal(400, words), "output")], request=asked)
    return repairs.known(MODEL, {"max_tokens": 500_000})[0]["max_tokens"]


QUOTES = {
    "as it is": lambda text: f"invalid request: {text}",
    "in a document": lambda text: f"1 validation error: input_value={json.dumps({'content': text})}",
    "in Python": lambda text: f"1 validation error: input={[{'role': 'user', 'content': text}]!r}",
    "cut": lambda text: f"invalid request: {text[:70]}...",
    "its beginning": lambda text: f"invalid content '{text[:200]}' at messages.0",
}


@pytest.mark.parametrize("name", QUOTES)
@pytest.mark.parametrize("prompt", [SAYS, f'say "{SAYS}"', f"a\nb\n{SAYS}\nc", f"\U0001f600 {SAYS.upper()}"])
async def test_what_a_client_wrote_is_not_learned(name: str, prompt: str) -> None:
    assert await learned(QUOTES[name](prompt), request("hello", prompt)) == 500_000
    assert (
        await learned(QUOTES[name](prompt), {"messages": [], "tools": [{"function": {"description": prompt}}]})
        == 500_000
    )


@pytest.mark.parametrize("name", QUOTES)
async def test_what_the_upstream_says_beside_it_is_learned(name: str) -> None:
    for words in (f"{OWN} {QUOTES[name](SAYS)}", f"{QUOTES[name](SAYS)} {OWN}"):
        assert await learned(words, request(SAYS)) == 8_192


def test_a_short_prompt_is_an_echo_as_a_whole() -> None:
    words = "invalid input 'max_tokens <= 10': bad"
    assert without_echoes(words, request("max_tokens <= 10")) == "invalid input ' … ': bad"


def test_words_that_every_request_has_are_the_upstreams() -> None:
    words = "'reasoning_effort' does not support 'medium' with the function 'system' role, use 'adaptive'"
    asked = request("hello", reasoning_effort="medium", kind="adaptive", roles=["system", "function"], other=None, n=1)
    assert without_echoes(words, asked) == words
    assert without_echoes(words, {words: 1}) == words
    assert without_echoes("", request(words)) == ""


async def test_a_conversation_about_errors_does_not_keep_a_model_from_being_known() -> None:
    prompt = "why is it that reasoning_effort is not supported? and max_tokens is too large sometimes?"
    assert await learned(OWN, request(prompt)) == 8_192


def test_a_request_that_is_too_large_to_compare_with_teaches_nothing() -> None:
    assert without_echoes(OWN, request("x" * 300_000, "y" * 300_000)) == ""


@given(words=st.text(max_size=300), before=st.text(max_size=40), after=st.text(max_size=40))
def test_any_text_with_a_long_echo_loses_it(words: str, before: str, after: str) -> None:
    echo = "the quick brown fox jumps over the lazy dog"
    assert echo not in without_echoes(f"{words}{echo}{before}", request(f"{before}{echo}{after}"))
    assert without_echoes(words, {}) == words
