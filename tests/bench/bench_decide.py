"""A full pass of the brain over 5,000 routes of two models each, 50 credentials and 200 clients, in a fresh process."""

import json
import resource
import subprocess
import sys
import time

from tests.bench.report import Row
from tests.support.builders.objects import NOW, Manifest, client, credential, route, secret, target

from claude_gateway.garbage import collect_rarely
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.world import Settings

ROUTES = 5_000
CREDENTIALS = 50
CLIENTS = 200
SECONDS = 3.0
MEBIBYTES = 250.0


def rows() -> list[Row]:
    """The line of the table."""
    run = subprocess.run([sys.executable, "-m", __name__], stdout=subprocess.PIPE, check=True)
    measured = json.loads(run.stdout)
    return [
        Row(
            what=f"One full pass of the brain (read, decide, pack), {ROUTES:,} routes",
            goal=f"≤ {SECONDS:.0f} s, ≤ {MEBIBYTES:.0f} MiB",
            measured=f"{measured['seconds']:.2f} s, {measured['mebibytes']:.0f} MiB",
            met=measured["seconds"] <= SECONDS and measured["mebibytes"] <= MEBIBYTES,
        )
    ]


def manifests() -> list[Manifest]:
    """What an API server would list."""
    keys = {f"api{i}": f"sk-bench-{i:040}" for i in range(CREDENTIALS)}
    keys |= {f"client{i}": f"cgw_bench-{i:040}" for i in range(CLIENTS)}
    found = [secret(values=keys)]
    found += [credential(f"c{i}", provider=_provider(i), key=f"api{i}") for i in range(CREDENTIALS)]
    found += [client(f"client{i}", keys=[f"client{i}"], models=["claude-*"]) for i in range(CLIENTS)]
    for i in range(ROUTES):
        own = i % CREDENTIALS
        targets = [target(f"{_provider(own)}/model-{i}", credential=f"c{own}", weight=n + 1) for n in range(2)]
        found.append(route(f"route-{i}", models=[f"claude-model-{i}", f"alias-{i}-*"], targets=targets))
    return found


def _provider(index: int) -> str:
    return ("anthropic", "openai", "gemini")[index % 3]


def main() -> None:
    """Measure once, as the operator does it, and print it as JSON."""
    collect_rarely()
    listed = manifests()
    began = time.perf_counter()
    plan = decide(read(listed, Settings(strict=False)), NOW)
    seconds = time.perf_counter() - began
    errors = [problem for problem in plan.problems if problem.severity is Severity.ERROR]
    if errors or len(plan.policy.routes) != ROUTES:
        sys.exit(f"bench: the plan is not what was asked for: {len(plan.policy.routes)} routes, {errors[:1]}")
    # Kibibytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({"seconds": seconds, "mebibytes": peak}))


if __name__ == "__main__":
    main()
