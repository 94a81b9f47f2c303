"""``docs/capacity.md``: what installations of several sizes need, and what breaks first, from docs/capacity.json."""

from collections.abc import Iterator
from typing import Any, Final

from tools import capacity
from tools.capacity import Bound, Estimate, Inputs, Scenario
from tools.reference.markdown import code, page, table

SCENARIOS: Final = (
    Scenario(200, 100),
    Scenario(2_000, 500),
    Scenario(20_000, 2_000),
    Scenario(2_000, 50_000),
    Scenario(20_000, 50_000),
)
INTRO: Final = """\
What an installation needs, calculated from measured costs. Every input stands [below](#the-inputs) with its source:
first what was measured, then what is assumed about how people work. For other numbers, or other assumptions in
[capacity.json](capacity.json): `python -m tools.capacity --developers 800 --routes 300`.

A *release* is one installation of the chart: one operator, one bundle, and its pods."""
READING: Final = """\
Pods are one more than the load needs, so that one may be lost, and at least two; a gateway has one core. The memory of
a pod is that of gateway, worker and agent together, without bodies: the gateway holds at most 192 MiB of them by
default (`CLAUDE_GATEWAY_MAX_BUFFERED_BYTES`), and up to twice that while they are sent on. *Listed* is what the API
server sends to all operators when each makes one pass; a pass follows each burst of changes. *Sent* is what the pods
of one release fetch after an edit. Each pod also holds one watch and answers one long poll of its operator."""
BREAKS: Final = """\
How many routes or developers one release takes, alone, until a bound breaks. Nothing fails then: a bundle that is full
keeps what it has and leaves out the newest objects of the namespace that takes the most room, whose status says
`TooLarge`; a slow pass makes edits live later, and streams do not notice."""
SHARING: Final = """\
- **Several releases** divide routes and clients. Each watches namespaces of its own (`watchNamespaces`), or, in one
  namespace, the objects that name it (`gatewayRef`). Each has its own operator, bundle and pods, so every bound and
  every pass is divided by their number; nothing is shared but the API server. Developers of a team use the address of
  the release that has their routes.
- **Tokens instead of keys**: a client with `jwt` or `serviceAccounts` takes one entry of the bundle however many people
  it stands for, and there is no Secret per person. With them the second bound below has no row per developer.
- **Patterns instead of routes**: `claude-*` with a target `anthropic/*` is one route for every model of a vendor.
- **More pods** divide streams and CPU, and add what is sent after an edit. They do not help a full bundle.
- Within one release, the room of the bundle is divided between namespaces
  ([ADR 0023](adr/0023-the-room-is-divided.md)), so one team cannot take it all."""


def render() -> str:
    """The whole page."""
    document = capacity.document()
    given = capacity.load(document)
    found = [capacity.planned(scenario, given) for scenario in SCENARIOS]
    parts = [
        "## Sizes",
        table(_HEADS, [_row(each) for each in found]),
        READING,
        "## What breaks first",
        BREAKS,
        table(("Bound", "Most", "Routes, without clients", "Developers, without routes"), _breaks(given)),
        _overfull(given),
        "## How several releases or bundles share the work",
        SHARING,
        "## The inputs",
        f"Measured on {document['measured_on']} by `make costs`, in CPU time where it is about time.",
        *_inputs(document),
    ]
    source = "docs/capacity.json, docs/benchmarks.md and tools/capacity.py (`make costs` and `make bench` measure)"
    return page("Capacity", INTRO, parts, source=source)


_HEADS: Final = (
    *("Developers", "Routes", "Releases", "Pods", "Open streams", "Busy cores", "Memory of a pod"),
    *("Operator: pass", "Operator: memory", "Bundle: public, secret", "Listed", "Sent", "Breaks first"),
)


def _row(found: Estimate) -> tuple[str, ...]:
    return (
        f"{found.scenario.developers:,}",
        f"{found.scenario.routes:,}",
        f"{found.scenario.releases}",
        f"{found.pods}",
        f"{found.streams:,.0f}",
        f"{found.cores:.1f}",
        f"{found.pod_mebibytes:.0f} MiB",
        f"{found.pass_seconds:.1f} s",
        f"{found.operator_mebibytes:.0f} MiB",
        f"{_bytes(found.policy_bytes)}, {_bytes(found.secret_bytes)}",
        _bytes(found.listed_bytes),
        _bytes(found.sent_bytes),
        f"{found.tightest.name} ({found.tightest.load:.0%})",
    )


def _breaks(given: Inputs) -> Iterator[tuple[str, ...]]:
    for bound in capacity.estimate(Scenario(0, 0), given).bounds:
        counts = (capacity.most(given, what=what, bound=bound.name) for what in ("routes", "developers"))
        yield (
            bound.name,
            _limit(bound),
            *("no limit" if count >= capacity.ENDLESS else f"{count:,}" for count in counts),
        )


def _limit(bound: Bound) -> str:
    return _bytes(bound.most) if bound.unit == "bytes" else f"{bound.most:g} {bound.unit}"


def _overfull(given: Inputs) -> str:
    return (
        f"Measured beyond the bound: of 50,000 routes in one release {given['routes_that_fit']:,.0f} were in the "
        f"bundle, and a pass took {given['overfull_pass_seconds']:.0f} CPU seconds and "
        f"{given['overfull_pass_mebibytes']:,.0f} MiB."
    )


def _inputs(document: dict[str, Any]) -> Iterator[str]:
    titles = {"measured": "Measured", "benchmarks": "From the benchmarks", "assumed": "Assumed"}
    for section in capacity.SECTIONS:
        yield f"### {titles[section]}"
        entries = document[section].items()
        yield table(
            ("Input", "Value", "Unit", "Source"),
            [(code(name), f"{entry['value']:.4g}", entry["unit"], entry["source"]) for name, entry in entries],
        )


def _bytes(count: float) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}" if count < 100 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} B"
