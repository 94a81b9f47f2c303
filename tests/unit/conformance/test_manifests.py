"""The configuration that the suite prints."""

from datetime import UTC, datetime

import yaml

from claude_gateway.conformance import manifests
from claude_gateway.conformance.options import Models, Options
from claude_gateway.contract.retiring import retirement
from claude_gateway.names import Reason
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.world import Settings


def test_it_names_no_model_that_is_retired() -> None:
    printed = list(yaml.safe_load_all(manifests.text(Options(key=""), upstream="http://127.0.0.1:4001")))
    problems = decide(read(printed, Settings()), datetime(2026, 11, 29, tzinfo=UTC)).problems
    assert Reason.MODEL_RETIRING not in {problem.reason for problem in problems}
    assert retirement(Models().claude) is None
