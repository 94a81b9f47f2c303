"""Web pages and errors that come with a status of success."""

from typing import TYPE_CHECKING, cast

import pytest

from claude_gateway_proxy.gateway.attempts.false_success import is_page, may_be_error, restated
from claude_gateway_proxy.gateway.lanes.whole import json_answer

if TYPE_CHECKING:
    from claude_gateway_proxy.gateway.lanes.lane import Response


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":{"message":"slow","code":429}}', 429),
        (b' {"error" : "bad key", "code": 401}', 401),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', 529),
        (b'{"error":{"message":"what"}}', 500),
        (b'{"error":null,"id":"resp_1","object":"response","output":[]}', None),
        (b'{"error":{},"id":"x","choices":[{}]}', None),
        (b'{"id":"x","choices":[],"error":{"message":"late"}}', None),
        (b'{"error":{"message":"cut', None),
    ],
)
async def test_an_error_has_the_status_that_it_stands_for(body: bytes, status: int | None) -> None:
    answer = cast("Response", json_answer(b"", headers=[(b"retry-after", b"3")]))
    found = restated(answer, body) if may_be_error(body) else None
    assert (None if found is None else found.status) == status
    if found is not None:
        assert (found.header(b"retry-after"), found.content_length) == ("3", len(body))
        assert (await found.read(), await found.read()) == (body, b"")


def test_a_web_page_is_no_answer() -> None:
    assert is_page(b"\r\n <!doctype html><html>")
    for answer in (b'{"a":"<html>"}', b"data: <html>\n\n", b"", b'["<"]'):
        assert not is_page(answer)
