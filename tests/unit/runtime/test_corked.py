"""What one turn of the event loop sends leaves in one write, in order, and nothing is lost."""

import asyncio

from claude_gateway_runtime.server.corked import Corked


class Transport(asyncio.Transport):
    """Notes what is written and done."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.writes: list[bytes] = []
        self.closing = False
        self.aborted = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def _corked() -> tuple[Transport, Corked]:
    transport = Transport()
    return transport, Corked(transport, asyncio.get_running_loop())


async def test_a_turn_is_one_write() -> None:
    transport, corked = _corked()
    corked.write(b"head ")
    corked.write(bytearray(b"body"))
    assert transport.writes == []
    await asyncio.sleep(0)
    assert transport.writes == [b"head body"]
    corked.write(b"next")
    await asyncio.sleep(0)
    assert transport.writes == [b"head body", b"next"]


async def test_what_is_flushed_is_written_once() -> None:
    transport, corked = _corked()
    corked.write(b"all")
    corked.flush()
    corked.flush()
    await asyncio.sleep(0)
    assert transport.writes == [b"all"]


async def test_what_is_written_at_once_keeps_its_place() -> None:
    transport, corked = _corked()
    corked.write_now(b"a")
    corked.write(b"b")
    corked.write_now(b"c")
    assert transport.writes == [b"a", b"bc"]


async def test_large_data_is_not_held() -> None:
    transport, corked = _corked()
    large = b"x" * 100_000
    corked.write(b"head ")
    corked.write(large)
    assert transport.writes == [b"head ", large]
    for _ in range(3):
        corked.write(b"y" * 30_000)
    assert transport.writes[2:] == [b"y" * 90_000]


async def test_closing_sends_what_is_held_and_aborting_does_not() -> None:
    transport, corked = _corked()
    corked.write(b"last")
    corked.close()
    assert transport.writes == [b"last"]
    assert corked.is_closing()
    transport, corked = _corked()
    corked.write(b"lost")
    corked.abort()
    await asyncio.sleep(0)
    assert transport.writes == []
    assert transport.aborted


async def test_a_lost_connection_is_not_written_to() -> None:
    transport, corked = _corked()
    corked.write(b"late")
    transport.closing = True
    await asyncio.sleep(0)
    assert transport.writes == []


async def test_the_rest_is_the_transports() -> None:
    transport, corked = _corked()
    corked.pause_reading()
    paused = transport.reading
    corked.resume_reading()
    assert (paused, transport.reading) == (False, True)
    assert corked.get_extra_info("peername") == ("127.0.0.1", 1)
