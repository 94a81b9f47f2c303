"""One gate for every request: a grant is settled exactly once with what the request used, however it ended."""

import asyncio
import json
from typing import Any

import pytest
from tests.contract.gateway.test_safeguards import SAFEGUARDS, calling, sensible
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Reply, drop, gateway, hang, stream, upstream, whole

from claude_gateway.contract.target import Target
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.admission.admission import Admission, Grant, Usage
from claude_gateway_proxy.gateway.call import Call

_KNOWN = "claude-opus-4-6"
_ANSWER = json.dumps({"type": "message", "usage": {"input_tokens": 5, "output_tokens": 7}}).encode()


class _Noted(Grant):
    """A grant that keeps what it was settled with."""

    def __init__(self, model: str, *, origin: bool) -> None:
        self.model = model
        self.origin = origin
        self.settled: list[Usage] = []

    def settle(self, usage: Usage) -> None:
        self.settled.append(usage)


class _Gate(Admission):
    """An admission that notes its grants."""

    def __init__(self) -> None:
        super().__init__()
        self.grants: list[_Noted] = []

    async def admit(self, call: Call) -> Grant:
        await super().admit(call)
        self.grants.append(_Noted(call.body.model, origin=call.origin is not None))
        return self.grants[-1]


@pytest.mark.parametrize(
    ("reply", "usage"),
    [
        # 5 tokens at $5 and 7 at $25 per million.
        (whole(_ANSWER), Usage(input_tokens=5, output_tokens=7, cost=200_000, answered=True)),
        (drop, Usage()),
        # An answer without counts costs what the request and the answer are estimated to have.
        (whole(b"{}"), Usage(input_tokens=12, output_tokens=2, cost=110_000, certain=False, answered=True)),
    ],
)
async def test_a_request_is_settled_once_with_its_usage(reply: Reply, usage: Usage) -> None:
    gate = _Gate()
    async with (
        upstream(reply) as up,
        gateway(route("c", targets=[target(base_url=up.url, model=_KNOWN)]), admission=gate) as gw,
    ):
        async with await gw.post("/v1/messages", {"model": "c"}) as response:
            await response.read()
        await gw.records()
    assert [(grant.model, grant.settled) for grant in gate.grants] == [("c", [usage])]


async def test_a_client_that_leaves_is_settled_once_with_what_was_sent() -> None:
    gate = _Gate()
    async with (
        upstream(hang) as up,
        gateway(route("c", targets=[target(base_url=up.url, model=_KNOWN)]), admission=gate) as gw,
    ):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(gw.post("/v1/messages", {"model": "c"}), timeout=0.5)
        await gw.records()
    assert [grant.settled for grant in gate.grants] == [[Usage(input_tokens=12, cost=60_000, certain=False)]]


async def test_what_is_rejected_has_nothing_to_settle() -> None:
    gate = _Gate()
    async with (
        gateway(route("c"), admission=gate) as gw,
        await gw.post("/v1/messages", {"model": "unknown"}) as response,
    ):
        assert response.status == 404
    assert gate.grants == []


async def test_a_judges_request_passes_the_same_gate() -> None:
    gate = _Gate()
    translated = Target(id="ns/c/0.0", provider="openai", model="gpt-5")
    body: dict[str, Any] = {"model": "c", "messages": [], "stream": True, "safeguards": SAFEGUARDS}
    async with upstream(sensible) as judge:
        routes = (
            route("c", targets=[translated], safeguards_model="j"),
            route("j", targets=[target(base_url=judge.url, model=_KNOWN)]),
        )
        async with (
            gateway(*routes, admission=gate) as gw,
            upstream(stream(*calling("rm x")), path=gw.run_dir / LITELLM_SOCKET),
        ):
            async with await gw.post("/v1/messages", body) as response:
                await response.read()
            await gw.records(2)
    assert [(grant.model, grant.origin, len(grant.settled)) for grant in gate.grants] == [
        ("c", False, 1),
        ("j", True, 1),
    ]
    assert gate.grants[1].settled == [Usage(input_tokens=800, output_tokens=30, cost=4_750_000, answered=True)]
