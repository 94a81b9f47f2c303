"""Plans of an installation with the Claude Code backend, for tests of subscriptions."""

from typing import Any

from tests.support.builders.objects import NOW

from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Problem
from claude_gateway.plan.world import Settings

URL = "http://cg-claude-code.gateway.svc:4100"
BACKEND_KEY = b"cgb_key-of-the-backend-0123456789"
ALICE = "alice@example.com"


def settings(**more: Any) -> Settings:
    return Settings(**{"claude_code_url": URL, "claude_code_key": BACKEND_KEY, **more})


def decided(*manifests: object, **more: Any) -> Plan:
    return decide(read(manifests, settings(**more)), NOW)


def only(plan: Plan) -> Problem:
    (problem,) = plan.problems
    return problem
