"""The ConfigMap of an allotment, as the agent reads it."""

import gzip

import pytest

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway_proxy.agent.allotment import read
from claude_gateway_proxy.agent.following import State

_WHOLE = Allotments(pods=2, leases={"a": {"ns/all": {"w": 5}}})
_DATA = _WHOLE.model_dump_json(by_alias=True).encode()


@pytest.mark.parametrize("entries", [{ALLOTMENT_JSON: _DATA}, {f"{ALLOTMENT_JSON}.gz": gzip.compress(_DATA)}])
def test_it_is_plain_or_packed(entries: dict[str, bytes]) -> None:
    assert read(State(known=True, entries=entries)) == _WHOLE


@pytest.mark.parametrize("entries", [None, {}, {ALLOTMENT_JSON: b"{"}, {f"{ALLOTMENT_JSON}.gz": b"no gzip"}])
def test_what_is_not_there_or_cannot_be_read_changes_nothing(entries: dict[str, bytes] | None) -> None:
    assert read(State(known=True, entries=entries)) is None
