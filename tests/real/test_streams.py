"""Streams of a real server under the accidents of real life: clients that leave, a full server, a restart."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import anthropic
import httpx
import httpx2
import openai
import pytest
from tests.real.callers import CALLERS, claude, gpt, incomplete
from tests.support.processes.gateway import System
from tests.support.processes.llama import SLOTS, LlamaServer
from tests.support.processes.waiting import until

LONG = 1000
"""Tokens of an answer that a test does not wait for."""
ENDLESS = "@@@@"
"""A text at which the model would stop and which it never says, in place of the server's own."""
STORY: Final[Any] = [{"role": "user", "content": "Tell a long story."}]
CITIES = {"Spain": "Madrid", "Italy": "Rome", "Germany": "Berlin", "Japan": "Tokyo", "Russia": "Moscow"}


def test_a_client_that_leaves_frees_the_server(stack: System, server: LlamaServer, target: str) -> None:
    until(lambda: server.busy() == 0, timeout=120, what="the server to be idle")
    with claude(stack) as client:
        stream = client.messages.create(
            model=target,
            max_tokens=LONG,
            stop_sequences=[ENDLESS],
            messages=STORY,
            stream=True,
        )
        seen = 0
        for event in stream:
            seen += event.type == "content_block_delta"
            if seen == 3:
                break
        assert server.busy() == 1
        stream.close()
        until(lambda: server.busy() == 0, timeout=60, what="the slot to be free")
    lines = until(lambda: [line for line in stack._requests() if line["outcome"] == "cancelled"], what="the line")
    assert lines[-1]["output_tokens"] < LONG


def test_more_clients_than_slots_all_get_their_own_answer(stack: System, target: str) -> None:
    assert len(CITIES) > SLOTS

    def ask(number: int, country: str) -> str:
        callers = [caller for caller in CALLERS if not incomplete(caller.name, target)]
        caller = callers[number % len(callers)]
        return caller.ask(stack, target, f"What is the capital of {country}?", stream=True).text

    with ThreadPoolExecutor(len(CITIES)) as pool:
        answers = list(pool.map(ask, range(len(CITIES)), CITIES))
    assert [city in answer for city, answer in zip(CITIES.values(), answers, strict=True)] == [True] * len(CITIES), (
        answers
    )


def _messages(stack: System, target: str) -> Iterator[str]:
    """Stream a long answer with Anthropic's SDK; returns how each event ends the answer, mostly not."""
    fields: Any = {"model": target, "max_tokens": LONG, "stop_sequences": [ENDLESS], "messages": STORY, "stream": True}
    with claude(stack) as client:
        for event in client.messages.create(**fields):
            yield "ended" if event.type == "message_stop" else ""


def _chat(stack: System, target: str) -> Iterator[str]:
    """The same with OpenAI's SDK."""
    fields: Any = {"model": target, "max_tokens": LONG, "stop": [ENDLESS], "messages": STORY, "stream": True}
    with gpt(stack) as client:
        for chunk in client.chat.completions.create(**fields):
            yield "".join(choice.finish_reason or "" for choice in chunk.choices)


@pytest.mark.parametrize("stream", [_messages, _chat], ids=["Messages", "Chat"])
def test_a_stream_of_a_server_that_dies_ends_as_broken(
    stack: System, server: LlamaServer, target: str, stream: Callable[[System, str], Iterator[str]]
) -> None:
    ends: list[str] = []

    def read() -> None:
        for number, end in enumerate(stream(stack, target)):
            ends.append(end)
            if number == 4:
                server.kill()

    try:
        # The SDKs report a connection that breaks as they find it: as their own error, or as that of their client.
        with pytest.raises((anthropic.APIError, openai.APIError, httpx.HTTPError, httpx2.HTTPError)):
            read()
        assert len(ends) > 4
        assert not any(ends)
        with pytest.raises(anthropic.InternalServerError):
            CALLERS[0].ask(stack, target, "Are you there?")
    finally:
        server.start()
    assert "Madrid" in CALLERS[0].ask(stack, target, "What is the capital of Spain?", stream=True).text
