"""Log lines of the data plane's processes: what they say of an exception that nobody expected."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from claude_gateway_runtime import logs

SECRET = "sk-secret-value"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged meanwhile; the root logger is left as it was."""
    root = logging.getLogger()
    before, level, stream = root.handlers[:], root.level, io.StringIO()
    logs.configure("info", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def _lines(written: io.StringIO) -> list[dict[str, Any]]:
    assert SECRET not in written.getvalue()
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_an_unexpected_exception_is_told_by_type_and_place(written: io.StringIO) -> None:
    log = logging.getLogger("claude_gateway_proxy.test")
    try:
        int(SECRET)
    except ValueError as error:
        logs.unexpected(log, "request_failed", error, request_id="r1")
        log.exception("also failed")
    own, of_a_library = _lines(written)
    assert own["request_id"] == "r1"
    for line, event in ((own, "request_failed"), (of_a_library, "also failed")):
        assert (line["level"], line["event"], line["error"]) == ("error", event, "ValueError")
        assert [frame.rpartition("/")[2].split(":")[0] for frame in line["at"]] == ["test_logs.py"]


def test_a_failed_task_that_nobody_awaited_is_not_quoted(written: io.StringIO) -> None:
    async def fails() -> None:
        raise ValueError(SECRET)

    async def forgets() -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])
        del task

    asyncio.run(forgets())
    (line,) = _lines(written)
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValueError")


def test_fields_cannot_hide_the_fixed_ones(written: io.StringIO) -> None:
    logs.emit(logging.getLogger("x"), "happened", level=logging.WARNING, time="else", value=b"5")
    (line,) = _lines(written)
    assert (line["level"], line["value"]) == ("warning", "b'5'")
    assert line["time"] != "else"
