"""A bundle has room for everybody: the objects of one namespace never keep another's from going live."""

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.builders.objects import (
    NOW,
    budget,
    client,
    credential,
    plan,
    route,
    secret,
    sound,
    target,
    world,
)
from tests.unit.plan.test_loaders import loaded

from claude_gateway.contract.bundle import TooLargeError
from claude_gateway.contract.policy import Egress
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan, decide

Manifests = list[dict[str, Any]]

KEYLESS = [target("hosted_vllm/x", baseURL="https://vllm.example/v1")]
OLD, NEW = "2020-01-01T00:00:00Z", "2026-06-01T00:00:00Z"


def noise(length: int, seed: object) -> str:
    """Text that hardly compresses, the same each time."""
    return "".join(random.Random(str(seed)).choices(string.ascii_letters + string.digits, k=length))


def second(number: int) -> str:
    return f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"


def long_names(namespace: str = "attacker", *, routes: int = 250) -> Manifests:
    return [
        route(
            f"r{number:04}",
            models=[f"x{noise(252, (number, name))}" for name in range(32)],
            targets=KEYLESS,
            namespace=namespace,
            created=second(number),
        )
        for number in range(routes)
    ]


def many_clients() -> Manifests:
    """Clients with 32,000 keys: what fills the bundle is the table of their hashes."""
    found: Manifests = []
    for number in range(2000):
        keys = {f"k{key}": f"cgw_{noise(40, (number, key))}" for key in range(16)}
        found += [
            secret(f"s{number:04}", keys, namespace="attacker"),
            client(f"c{number:04}", secret=f"s{number:04}", keys=[*keys], namespace="attacker", created=second(number)),
        ]
    return found


def long_keys() -> Manifests:
    found: Manifests = []
    for number in range(160):
        name = f"k{number:04}"
        found += [
            secret(name, {"api": noise(8000, number)}, namespace="attacker"),
            credential(name, secret=name, namespace="attacker"),
            route(name, models=[name], targets=[target(credential=name)], namespace="attacker", created=second(number)),
        ]
    return found


def left_out(decided: Plan) -> list[tuple[str, str]]:
    found = [problem.object for problem in decided.problems if problem.reason is Reason.TOO_LARGE]
    return [(ref.namespace, ref.name) for ref in found]


def served(decided: Plan) -> set[str]:
    return {route.name for route in decided.policy.routes} | {client.name for client in decided.policy.clients}


@pytest.mark.parametrize("flood", [long_names, many_clients, long_keys])
def test_a_flood_costs_its_own_namespace_its_newest_objects(flood: Callable[[], Manifests]) -> None:
    flooding = flood()
    late = [
        route("late", models=["claude-late"], namespace="team", targets=KEYLESS, created=NEW),
        secret(values={"client": "cgw_late-0123456789abcdef"}, namespace="team"),
        client("late", namespace="team", created=NEW),
        budget("late", clients=["late"], namespace="team", created=NEW),
    ]
    decided = plan(*sound(), *flooding, *late)
    assert served(decided) >= {"default/sonnet", "default/alice", "team/late"}
    assert [each.name for each in decided.policy.budgets] == ["team/late"]
    names = [m["metadata"]["name"] for m in flooding if m["kind"] in ("ModelRoute", "GatewayClient")]
    gone = left_out(decided)
    assert 0 < len(gone) < len(names)
    assert gone == [("attacker", name) for name in names[-len(gone) :]]
    assert {problem.reason for problem in decided.problems} == {Reason.TOO_LARGE}
    loaded(decided)


def test_what_is_left_out_says_so_and_says_the_same_each_time() -> None:
    decided = plan(*sound(), *long_names())
    statuses = {
        status.object.name: status.conditions for status in decided.statuses if status.object.namespace != "default"
    }
    newest, oldest = statuses["r0249"], statuses["r0000"]
    assert {condition.status for condition in oldest} == {"True"}
    accepted = next(condition for condition in newest if condition.type == ConditionType.ACCEPTED)
    assert (accepted.status, accepted.reason) == ("False", Reason.TOO_LARGE)
    assert "namespace attacker need more room" in accepted.message
    more = plan(*sound(), *long_names(), route("other", models=["y"], namespace="team", targets=KEYLESS))
    assert {p.message for p in more.problems} == {p.message for p in decided.problems}


def test_revocation_gets_through_while_somebody_floods() -> None:
    before = plan(*sound(), *long_names())
    after = plan(secret(), credential(), route(models=["claude-other"]), *long_names())
    assert served(before) >= {"default/alice", "default/sonnet"}
    assert before.policy.clients
    assert after.policy.clients == ()
    assert after.policy.client_keys is None
    assert next(r.models for r in after.policy.routes if r.name == "default/sonnet") == ("claude-other",)
    rotated = plan(
        secret(values={"api": "sk-rotated-0123456789", "client": "cgw_rotated-0123456789"}), *sound()[1:], *long_names()
    )
    assert not rotated.bundle.secrets.keys() & before.bundle.secrets.keys()
    assert len({before.bundle.meta.revision, after.bundle.meta.revision, rotated.bundle.meta.revision}) == 3


def test_of_two_that_flood_each_keeps_the_same_share() -> None:
    decided = plan(*sound(), *long_names("a-flood", routes=150), *long_names("b-flood", routes=250))
    kept = [sum(name.startswith(f"{namespace}/") for name in served(decided)) for namespace in ("a-flood", "b-flood")]
    assert abs(kept[0] - kept[1]) <= 1
    assert kept[0] > 60
    assert served(decided) >= {"default/sonnet", "default/alice"}


def test_within_one_namespace_the_oldest_stay_and_clients_come_before_routes_of_their_age() -> None:
    flood = [{**m, "metadata": {"name": m["metadata"]["name"], "namespace": "default"}} for m in long_names()]
    decided = plan(*sound(), *flood, route("z-old", models=["z"], targets=KEYLESS, created="1969-01-01T00:00:00Z"))
    assert served(decided) >= {"default/alice", "default/z-old", "default/r0000"}
    assert ("default", "sonnet") in left_out(decided)


def test_the_order_of_the_manifests_does_not_matter() -> None:
    manifests = [*sound(), *long_names()]
    shuffled = random.Random(1).sample(manifests, len(manifests))
    assert plan(*manifests) == plan(*shuffled)


def test_the_view_for_people_makes_room_first() -> None:
    decided = plan(*sound(), *long_names(routes=100))
    assert decided.problems == ()
    assert decided.bundle.litellm == b""
    loaded(decided)


def test_the_addresses_that_the_installation_allows_take_room_as_well() -> None:
    hosts = tuple(noise(60, number) for number in range(2500))
    decided = decide(world(*sound(), *long_names(), egress=Egress(hosts=hosts)), NOW)
    assert left_out(decided)
    assert served(decided) >= {"default/sonnet", "default/alice"}
    with pytest.raises(TooLargeError):
        decide(world(egress=Egress(hosts=tuple(noise(60, number) for number in range(30_000)))), NOW)


def test_5000_ordinary_routes_with_a_key_each_fit() -> None:
    manifests: Manifests = []
    for number in range(5000):
        namespace, name = f"team-{number % 100}", f"model-{noise(6, number).lower()}-{number}"
        manifests += [
            secret(f"key-{number}", {"api": f"sk-ant-api03-{noise(95, number)}"}, namespace=namespace),
            credential(f"c-{number}", secret=f"key-{number}", namespace=namespace),
            route(
                f"route-{number}",
                models=[name, f"claude-{name}-*"],
                displayName=f"Model {number}",
                targets=[
                    target("anthropic/claude-sonnet-5-5", credential=f"c-{number}"),
                    target(f"hosted_vllm/{name}", baseURL=f"https://{name}.models.example/v1", priority=1),
                ],
                namespace=namespace,
            ),
        ]
    manifests += [
        entry
        for number in range(1000)
        for entry in (
            secret(f"client-{number}", {"client": f"cgw_{noise(43, number)}"}, namespace=f"team-{number % 100}"),
            client(f"client-{number}", secret=f"client-{number}", namespace=f"team-{number % 100}"),
        )
    ]
    decided = plan(*manifests)
    assert left_out(decided) == []
    assert (len(decided.policy.routes), len(decided.policy.clients)) == (5000, 1000)
    loaded(decided)
