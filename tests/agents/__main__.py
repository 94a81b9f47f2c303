"""``make compatibility``: one session of each agent in each of its formats with each kind of upstream.

The results go to docs/compatibility, from which ``make generate`` makes the published page. Arguments are the agents to
run; without any, all. Exits 1 when a session did not work.
"""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from tests.agents.agents import AGENTS, ROOT, Agent
from tests.agents.session import UPSTREAMS, Session, play
from tests.support.builders.targets import ANTHROPIC_KEY, GOOGLE_KEY, OPENAI_KEY, ROUTES
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

RESULTS = ROOT / "docs" / "compatibility"


def main() -> int:
    """Run the agents named on the command line."""
    wanted = sys.argv[1:] or [agent.key for agent in AGENTS]
    unknown = set(wanted) - {agent.key for agent in AGENTS}
    if unknown:
        print(f"compatibility: unknown agent {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    with Scripted() as upstream, System() as stack:
        secrets = {"anthropic": ANTHROPIC_KEY, "openai": OPENAI_KEY, "google": GOOGLE_KEY}
        stack.apply(ROUTES.format(url=upstream.url), *(secret(name, key) for name, key in secrets.items()))
        failed = [_run(agent, stack, upstream) for agent in AGENTS if agent.key in wanted]
    return int(any(failed))


def _run(agent: Agent, stack: System, upstream: Scripted) -> bool:
    """Run all sessions of an agent and keep what they showed. Returns whether one failed."""
    sessions: list[Session] = []
    for way in agent.ways:
        for kind in UPSTREAMS:
            session = play(way, kind, stack, upstream)
            print(f"compatibility: {agent.name} {agent.version}, {way.format} to {kind}: {session.fault or 'works'}")
            sessions.append(session)
    document = {
        "client": agent.name,
        "version": agent.version,
        "at": datetime.now(UTC).date().isoformat(),
        "sessions": [asdict(session) for session in sessions],
    }
    (RESULTS / f"{agent.key}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return any(session.fault for session in sessions)


if __name__ == "__main__":
    sys.exit(main())
