"""What an installation needs, calculated from measured costs: ``python -m tools.capacity --developers N --routes N``.

The inputs are docs/capacity.json and rows of docs/benchmarks.md: each number with its unit and where it comes from. The
bounds of a bundle come from the contract itself. ``tools.reference.capacity`` writes the page of it.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tools import benchmarked

from claude_gateway.contract.bundle import SIZE_LIMIT, UNPACKED_LIMIT

INPUTS: Final = Path(__file__).resolve().parents[1] / "docs" / "capacity.json"
SECTIONS: Final = ("measured", "benchmarks", "assumed")
FEWEST_PODS: Final = 2
ENDLESS: Final = 2**30
"""A number of objects at which no bound was reached."""
_BASE64: Final = 4 / 3
_SECRET_BYTES: Final = 900
"""The size of a Secret with one key as an API server lists it; nearly all of it is metadata."""
_WRITES_PER_EDIT: Final = 5
"""Secret, ConfigMap, the Secret pruned, and the object's status twice: not yet programmed, programmed."""

Inputs = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who uses an installation: ``developers`` with a key each, and ``routes``, divided among ``releases`` equally."""

    developers: int
    routes: int
    releases: int = 1


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that cannot grow further in one release; ``used`` and ``most`` in ``unit``."""

    name: str
    used: float
    most: float
    unit: str

    @property
    def load(self) -> float:
        """Which share of it is used; above 1 it is broken."""
        return self.used / self.most


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a scenario takes; what is said of a pod or of a bundle is that of one release."""

    scenario: Scenario
    streams: float
    requests_per_second: float
    cores: float
    pods: int
    pod_mebibytes: float
    operator_mebibytes: float
    pass_seconds: float
    policy_bytes: float
    secret_bytes: float
    listed_bytes: float
    """That the API server sends to the operators of all releases for one pass of each."""
    sent_bytes: float
    """That it sends to the pods of one release after an edit there."""
    writes_per_minute: float
    bounds: tuple[Bound, ...]

    @property
    def tightest(self) -> Bound:
        """The bound that breaks first."""
        return max(self.bounds, key=lambda bound: bound.load)


def document() -> dict[str, Any]:
    """Return the inputs by section and name, each with value, unit and source."""
    found: dict[str, Any] = json.loads(INPUTS.read_text(encoding="utf-8"))
    measured = {name: float(entry["value"]) for name, entry in found["measured"].items()}
    found["benchmarks"] |= benchmarked.inputs(benchmarked.PAGE.read_text(encoding="utf-8"), measured)
    return found


def load(sections: Mapping[str, Any] | None = None) -> Inputs:
    """Return the inputs by name. Raises ValueError if two sections have one name."""
    sections = document() if sections is None else sections
    found: dict[str, float] = {}
    for section in SECTIONS:
        for name, entry in sections[section].items():
            if name in found:
                raise ValueError(f"docs/capacity.json: {name} is in two sections")
            found[name] = float(entry["value"])
    return found


def estimate(scenario: Scenario, given: Inputs) -> Estimate:
    """Calculate what a scenario takes."""
    routes, clients = scenario.routes / scenario.releases, scenario.developers / scenario.releases
    active = scenario.developers * given["active_share"]
    streams = active * given["streams_per_active"]
    requests = active * given["requests_per_minute"] / 60
    cores = _cores(given, requests=requests, streams=streams)
    pods = _pods(given, cores=cores / scenario.releases, streams=streams / scenario.releases)
    policy = (
        given["policy_bytes"] + routes * given["policy_bytes_per_route"] + clients * given["policy_bytes_per_client"]
    )
    keys = clients * given["keys_per_developer"] * given["secret_bytes_per_key"]
    seconds = (
        given["pass_seconds"] + routes * given["pass_seconds_per_route"] + clients * given["pass_seconds_per_client"]
    )
    bounds = (
        Bound("ConfigMap: gateway.json, compressed", policy, SIZE_LIMIT, "bytes"),
        Bound("Secret: hashes of keys", keys, SIZE_LIMIT, "bytes"),
        Bound("gateway.json in a pod", routes * given["unpacked_bytes_per_route"], UNPACKED_LIMIT, "bytes"),
        Bound("one pass of the operator", seconds, given["pass_goal_seconds"], "s"),
    )
    listed = scenario.routes * given["listed_bytes_per_modelroutes"] + scenario.developers * (
        given["listed_bytes_per_gatewayclients"] + _SECRET_BYTES
    )
    return Estimate(
        scenario=scenario,
        streams=streams,
        requests_per_second=requests,
        cores=cores,
        pods=pods * scenario.releases,
        pod_mebibytes=_pod_mebibytes(given, routes=routes, streams=streams / (pods * scenario.releases)),
        operator_mebibytes=(
            given["pass_mebibytes"]
            + routes * given["pass_mebibytes_per_route"]
            + clients * given["pass_mebibytes_per_client"]
            + given["operator_mebibytes_extra"]
        ),
        pass_seconds=seconds,
        policy_bytes=policy,
        secret_bytes=keys,
        listed_bytes=listed,
        sent_bytes=(policy + keys) * _BASE64 * pods,
        writes_per_minute=given["edits_per_minute"] * _WRITES_PER_EDIT,
        bounds=bounds,
    )


def planned(scenario: Scenario, given: Inputs) -> Estimate:
    """Calculate with as few releases as leave the room that is assumed in every bound."""
    needed = estimate(scenario, given).tightest.load / given["room"]
    for releases in range(max(1, math.floor(needed)), 2 * math.ceil(needed) + 2):
        found = estimate(replace(scenario, releases=releases), given)
        if found.tightest.load <= given["room"]:
            return found
    raise ValueError(f"no number of releases helps: {found.tightest.name} has a fixed cost above its room")


def most(given: Inputs, *, what: str, bound: str) -> int:
    """Return how many ``developers`` or ``routes``, without the other, one release takes until a bound breaks."""

    def fits(count: int) -> bool:
        scenario = Scenario(**{"developers": 0, "routes": 0, what: count})
        return next(each for each in estimate(scenario, given).bounds if each.name == bound).load <= 1

    low, high = 0, 1
    while fits(high):
        if high >= ENDLESS:
            return ENDLESS
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _cores(given: Inputs, *, requests: float, streams: float) -> float:
    codec = given["codec_share"]
    events = streams * given["events_per_second"]
    relayed = requests * given["relay_request_seconds"] + events * given["relay_event_seconds"]
    translated = requests * given["codec_request_seconds"] + events * given["codec_event_seconds"]
    return (1 - codec) * relayed + codec * translated


def _pods(given: Inputs, *, cores: float, streams: float) -> int:
    """Return the pods of one release: a gateway has one core, and one pod may be lost."""
    busy = max(cores / given["utilisation"], streams / given["streams_per_pod"])
    return max(FEWEST_PODS, math.ceil(busy) + 1)


def _pod_mebibytes(given: Inputs, *, routes: float, streams: float) -> float:
    processes = ("gateway", "litellm", "agent")
    fixed = sum(given[f"{name}_mebibytes"] for name in processes) + given["litellm_library_mebibytes"]
    grown = sum(given[f"{name}_mebibytes_per_route"] for name in processes)
    return fixed + routes * grown + streams * given["stream_mebibytes"]


def main() -> int:
    """Print the estimate of one's own numbers."""
    parser = argparse.ArgumentParser(prog="python -m tools.capacity", description=__doc__)
    parser.add_argument("--developers", type=int, required=True)
    parser.add_argument("--routes", type=int, required=True)
    chosen = parser.parse_args()
    found = planned(Scenario(chosen.developers, chosen.routes), load())
    print(f"releases          {found.scenario.releases}")
    print(f"pods              {found.pods} in all, {found.pod_mebibytes:.0f} MiB each")
    print(f"cores             {found.cores:.1f} busy in all pods ({found.streams:.0f} open streams)")
    print(f"operator          {found.pass_seconds:.1f} s a pass, {found.operator_mebibytes:.0f} MiB, in each release")
    print(f"bundle            {found.policy_bytes / 1000:.0f} kB and {found.secret_bytes / 1000:.0f} kB of key hashes")
    print(f"breaks first      {found.tightest.name}: {found.tightest.load:.0%} used")
    return 0


if __name__ == "__main__":
    sys.exit(main())
