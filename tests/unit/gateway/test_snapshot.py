"""From a bundle to a snapshot, and following a folder."""

import gc
import weakref
from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.builders.bundles import bundle, route, target

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError, secret_entry
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.route import Match, Route, RouteRule
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_runtime.follower import Follower, Loaded, Refused

_SECRET = b"sk-upstream"
_ENTRY = secret_entry("ns.team", _SECRET)


def _rule(*targets: Target) -> RouteRule:
    return RouteRule(name="one", match=Match(images=True), targets=targets)


def _full() -> Bundle:
    targets = [target(base_url="http://x", secret=_ENTRY)]
    routes = [route(f"m-{number}", targets=targets) for number in range(120)]
    return bundle(routes, keys={"cgw_a": "ns/dev"}, secrets={_ENTRY: _SECRET})


def test_a_snapshot_has_all_that_a_request_needs() -> None:
    snapshot = build(_full())
    assert snapshot.revision == _full().meta.revision
    assert snapshot.egress == Egress(loopback=True)
    assert (set(snapshot.clients), set(snapshot.providers)) == ({"ns/dev"}, {"anthropic"})
    assert snapshot.secrets == {_ENTRY: "sk-upstream"}
    assert snapshot.callers.keys == {sha256(b"cgw_a").hexdigest(): Client(name="ns/dev")}
    found = snapshot.routing.route("m-77", namespace="ns")
    assert found == Policy.model_validate_json(_full().gateway).routes[77]


def test_nothing_secret_is_in_its_text() -> None:
    text = repr(build(_full()))
    assert "sk-upstream" not in text
    assert sha256(b"cgw_a").hexdigest() not in text


def _gateway(text: bytes) -> Bundle:
    return Bundle(gateway=text, litellm=b"")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (_gateway(b"nonsense"), "gateway.json"),
        (_gateway(b"[]"), "gateway.json"),
        (_gateway(b'{"routes":{}}'), "gateway.json"),
        (_gateway(b'{"routes":[{"name":"x","models":["m"]}]}'), "routes.0.targets"),
        (_gateway(b'{"clients":[{}]}'), "clients.0.name"),
        (_gateway(b"[" * 100_000), "gateway.json"),
        (bundle([route("m", targets=[target(base_url="http://x", secret=_ENTRY)])]), _ENTRY),
        (
            bundle([route("m", rules=[_rule(target(base_url="http://x", secret=_ENTRY))])]),
            _ENTRY,
        ),
        (bundle(secrets={"ns.x.00000000": b"\xff"}), "ns.x.00000000"),
        (bundle(keys={"cgw_a": "ns/stranger"}), "ns/stranger"),
        (_gateway(b'{"clientKeys":"keys.0"}'), "keys.0"),
        (Bundle(gateway=b'{"clientKeys":"k.0"}', litellm=b"", secrets={"k.0": b"[1]"}), "k.0"),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(broken: Bundle, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        build(broken)


def test_a_field_of_a_newer_writer_is_ignored() -> None:
    snapshot = build(_gateway(b'{"routes":[{"name":"r","models":["m"],"targets":[],"new":[1]}],"brandNew":{"a":1}}'))
    assert snapshot.routing.route("m", namespace="r") == Route(name="r", models=("m",), targets=())


async def test_a_folder_is_followed_and_what_is_broken_is_not(tmp_path: Path) -> None:
    seen: list[Loaded[Snapshot] | Refused] = []
    live = Follower(tmp_path, build=build, on_change=seen.append)
    await live.check()
    assert live.current is None
    assert live.report(in_flight=2).in_flight == 2
    good = folder.write(tmp_path, _full())
    await live.check()
    await live.check()
    assert len(seen) == 1
    bad = folder.write(tmp_path, _gateway(b"nonsense"))
    await live.check()
    await live.check()
    assert [type(change) for change in seen] == [Loaded, Refused]
    report = live.report(in_flight=0)
    assert (report.revision, report.refused) == (good, bad)
    assert "gateway.json" in (report.error or "")
    folder.write(tmp_path, _full())
    await live.check()
    assert live.report(in_flight=0).refused is None
    assert len(seen) == 2


async def test_an_old_snapshot_is_let_go(tmp_path: Path) -> None:
    live = Follower(tmp_path, build=build, on_change=lambda _: None)
    folder.write(tmp_path, _full())
    await live.check()
    assert live.current is not None
    old = weakref.ref(live.current.routing)
    folder.write(tmp_path, bundle([route("other")]))
    await live.check()
    gc.collect()
    assert old() is None
