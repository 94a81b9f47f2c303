"""The pieces of an upstream's answer, handed on in the call that brings them."""

import asyncio

import pytest

from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.unreachable import AnswerBroken


class Upstream:
    """The connection's side of an answer; ``reading`` is what the answer asked of it, one after another."""

    def __init__(self) -> None:
        self.reading: list[bool] = []
        self.answer = HttpAnswer(200, [], content_length=None, set_reading=self.reading.append, abort=lambda: None)


async def _piping(upstream: Upstream, taken: list[bytes], *, most: int = 100) -> asyncio.Task[None]:
    def sink(data: bytes) -> bytes | None:
        if len(taken) >= most:
            return data
        taken.append(data)
        return None

    task = asyncio.create_task(upstream.answer.pipe(sink))
    await asyncio.sleep(0)
    return task


async def test_what_comes_is_handed_on_at_once() -> None:
    upstream, taken = Upstream(), list[bytes]()
    piping = await _piping(upstream, taken)
    upstream.answer.feed(b"a")
    upstream.answer.feed(b"bc")
    assert taken == [b"a", b"bc"]
    assert not piping.done()
    upstream.answer.end()
    await piping
    assert await upstream.answer.read() == b""


async def test_what_is_not_taken_is_read_in_order() -> None:
    upstream, taken = Upstream(), list[bytes]()
    piping = await _piping(upstream, taken, most=1)
    for piece in (b"a", b"b", b"c"):
        upstream.answer.feed(piece)
    await piping
    assert taken == [b"a"]
    assert await upstream.answer.read() == b"bc"


async def test_a_sink_may_take_a_piece_and_no_more() -> None:
    upstream, taken = Upstream(), list[bytes]()

    def sink(data: bytes) -> bytes:
        taken.append(data)
        return b""

    piping = asyncio.create_task(upstream.answer.pipe(sink))
    await asyncio.sleep(0)
    upstream.answer.feed(b"a")
    await piping
    upstream.answer.feed(b"b")
    assert taken == [b"a"]
    assert await upstream.answer.read() == b"b"


async def test_what_came_before_is_read_first() -> None:
    upstream, taken = Upstream(), list[bytes]()
    upstream.answer.feed(b"a")
    await (await _piping(upstream, taken))
    assert taken == []
    assert await upstream.answer.read() == b"a"


async def test_the_last_piece_may_come_together_with_the_end() -> None:
    upstream, taken = Upstream(), list[bytes]()
    piping = await _piping(upstream, taken)
    upstream.answer.end(b"a")
    await piping
    assert taken == []
    assert await upstream.answer.read() == b"a"
    assert await upstream.answer.read() == b""


async def test_only_what_is_kept_stops_the_upstream() -> None:
    upstream, taken = Upstream(), list[bytes]()
    piping = await _piping(upstream, taken, most=1)
    upstream.answer.feed(b"x" * 1_000_000)
    assert upstream.reading == []
    upstream.answer.feed(b"y" * 1_000_000)
    assert upstream.reading == [False]
    await piping
    assert await upstream.answer.read() == b"y" * 1_000_000
    assert upstream.reading == [False, True]


async def test_an_answer_that_breaks_off_is_found_by_the_reader() -> None:
    upstream, taken = Upstream(), list[bytes]()
    piping = await _piping(upstream, taken)
    upstream.answer.end(error=AnswerBroken("gone"))
    await piping
    with pytest.raises(AnswerBroken):
        await upstream.answer.read()


async def test_a_failure_of_the_sink_is_raised_where_it_is_waited_for() -> None:
    upstream = Upstream()

    def sink(_: bytes) -> None:
        raise ValueError("a bug")

    piping = asyncio.create_task(upstream.answer.pipe(sink))
    await asyncio.sleep(0)
    upstream.answer.feed(b"a")
    with pytest.raises(ValueError, match="a bug"):
        await piping


async def test_a_reader_that_is_cancelled_no_longer_takes_anything() -> None:
    upstream, taken = Upstream(), list[bytes]()
    piping = await _piping(upstream, taken)
    piping.cancel()
    await asyncio.wait([piping])
    upstream.answer.feed(b"a")
    assert taken == []
    assert await upstream.answer.read() == b"a"
