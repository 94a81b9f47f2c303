"""The short way to write a piece of text is the same event as the long one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.bad_answer import Reported
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.documents import Documents
from claude_gateway_proxy.translation.messages.events import BlockDelta, TextDelta, encoded, encoded_text
from claude_gateway_proxy.translation.messages.options import RequestOptions
from claude_gateway_proxy.translation.messages.writer import Writer


@given(st.integers(0, 99), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_piece_of_text_is_the_same_event(index: int, text: str) -> None:
    assert encoded_text(index, text) == encoded(BlockDelta(index, TextDelta(text)))


def test_only_what_continues_the_open_text_is_read_the_short_way() -> None:
    def chunk(delta: dict[str, object], **more: object) -> dict[str, object]:
        return {"choices": [{"index": 0, "delta": delta, **more}]}

    reader = ChatReader(Writer(RequestOptions(model="m")))
    text = chunk({"content": "a"})
    assert reader.continued(text) is None, "no block is open yet"
    list(reader.chunk(text))
    assert reader.continued(text) == "a"
    assert reader.continued(chunk({"content": "b", "role": "assistant", "tool_calls": None})) == "b"
    others: tuple[dict[str, object], ...] = (
        chunk({"content": "a", "reasoning_content": "b"}),
        chunk({"content": "a"}, finish_reason="stop"),
        chunk({"content": [{"type": "text", "text": "a"}]}),
        chunk({"tool_calls": [{"index": 0}]}),
        {**text, "usage": {"prompt_tokens": 1}},
        {"choices": []},
        {"choices": None},
    )
    for other in others:
        assert reader.continued(other) is None


def test_with_stop_sequences_every_text_is_searched() -> None:
    reader = ChatReader(Writer(RequestOptions(model="m", stops=("STOP",))))
    text = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    list(reader.chunk(text))
    assert reader.continued(text) is None


def test_documents_before_an_error_are_returned_before_it() -> None:
    good, bad = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b'data: {"error":{"message":"x"}}\n\n'
    at_once, in_turn = Documents(), Documents()
    assert len(at_once.feed(good + bad)) == len(in_turn.feed(good)) == 1
    assert isinstance(at_once.failure, Reported)
    for documents, piece in ((at_once, b""), (at_once, good), (in_turn, bad)):
        with pytest.raises(Reported, match="x"):
            documents.feed(piece)
