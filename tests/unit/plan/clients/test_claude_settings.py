"""The settings of Claude Code that a client's people get."""

import pytest

from claude_gateway.names import Kind
from claude_gateway.plan.clients.claude_settings import canonical
from claude_gateway.plan.problem import ObjectRef, Severity

OWNER = ObjectRef(kind=Kind.GATEWAY_CLIENT, namespace="ns", name="platform")


def test_settings_are_one_line_with_sorted_keys() -> None:
    assert canonical(OWNER, '{\n  "model": "é",\n  "env": {"B": "2", "A": "1"}\n}') == (
        '{"env":{"A":"1","B":"2"},"model":"é"}',
        None,
    )
    assert canonical(OWNER, None) == ("", None)
    assert canonical(OWNER, "{}") == ("{}", None)


@pytest.mark.parametrize(("text", "why"), [('{"a": }', "not valid JSON"), ("[]", "not a JSON object")])
def test_other_texts_cost_the_settings_alone(text: str, why: str) -> None:
    settings, problem = canonical(OWNER, text)
    assert settings == ""
    assert problem is not None
    assert (problem.field, problem.severity) == ("spec.claudeSettings", Severity.WARNING)
    assert why in problem.message
