"""Settings of other guides: each is explained, with what to do."""

import pytest

from claude_gateway.cli.checks import CheckStatus
from claude_gateway.cli.claudecode import old_settings

PASS, WARN, FAIL = CheckStatus.PASS, CheckStatus.WARN, CheckStatus.FAIL
BEDROCK = {"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1"}
URL = "https://llm.example.com"


def seen(variables: dict[str, str], *, helper: bool = True) -> list[tuple[str, CheckStatus]]:
    found = list(old_settings.checks(variables, helper=helper))
    assert all(check.fix or check.status is PASS for check in found)
    return [(check.name, check.status) for check in found]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"PATH": "/bin", "ANTHROPIC_BASE_URL": URL}, []),
        ({"CLAUDE_CODE_API_KEY_HELPER": "x"}, [("CLAUDE_CODE_API_KEY_HELPER", WARN)]),
        ({"API_KEY_HELPER_TTL_MS": "1"}, [("API_KEY_HELPER_TTL_MS", WARN)]),
        ({"ANTHROPIC_TIMEOUT": "60"}, [("ANTHROPIC_TIMEOUT", WARN)]),
        ({"CLAUDE_CODE_DEBUG": "1"}, [("CLAUDE_CODE_DEBUG", WARN)]),
        ({"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "300000"}, [("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", PASS)]),
        ({"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "5m"}, [("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", FAIL)]),
        ({"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "-1"}, [("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", FAIL)]),
        ({"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "300"}, [("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", WARN)]),
        ({"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "0"}, [("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", WARN)]),
        ({"API_TIMEOUT_MS": "600000"}, [("API_TIMEOUT_MS", PASS)]),
        ({"API_TIMEOUT_MS": "600"}, [("API_TIMEOUT_MS", WARN)]),
        ({"API_TIMEOUT_MS": "10m"}, [("API_TIMEOUT_MS", FAIL)]),
        ({"ANTHROPIC_BEDROCK_BASE_URL": URL}, [("ANTHROPIC_BEDROCK_BASE_URL", WARN)]),
        ({"CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1"}, [("CLAUDE_CODE_SKIP_BEDROCK_AUTH", WARN)]),
        ({"CLAUDE_CODE_USE_BEDROCK": "0"}, []),
        (BEDROCK, [("CLAUDE_CODE_USE_BEDROCK", FAIL)]),
        ({**BEDROCK, "ANTHROPIC_BEDROCK_BASE_URL": f"{URL}/bedrock"}, [("CLAUDE_CODE_USE_BEDROCK", PASS)]),
        (
            {**BEDROCK, "ANTHROPIC_BEDROCK_BASE_URL": f"{URL}/v1"},
            [("CLAUDE_CODE_USE_BEDROCK", PASS), ("ANTHROPIC_BEDROCK_BASE_URL", FAIL)],
        ),
        (
            {"CLAUDE_CODE_USE_BEDROCK": "true", "ANTHROPIC_BEDROCK_BASE_URL": URL},
            [("CLAUDE_CODE_USE_BEDROCK", PASS), ("CLAUDE_CODE_SKIP_BEDROCK_AUTH", FAIL)],
        ),
        (
            {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BEDROCK_BASE_URL": URL, "AWS_BEARER_TOKEN_BEDROCK": "x"},
            [("CLAUDE_CODE_USE_BEDROCK", PASS)],
        ),
        ({"CLAUDE_CODE_USE_VERTEX": "1"}, [("CLAUDE_CODE_USE_VERTEX", WARN)]),
    ],
)
def test_each_is_explained(variables: dict[str, str], expected: list[tuple[str, CheckStatus]]) -> None:
    assert seen(variables) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("5m", "only the digits"),
        ("300000.5", "only the digits"),
        ("five minutes", "five minutes"),
        ("-1", "five minutes"),
    ],
)
def test_what_a_ttl_that_is_not_a_number_does(value: str, said: str) -> None:
    [check] = old_settings.checks({"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": value}, helper=True)
    assert said in check.seen
    assert "300000" in check.fix


def test_a_ttl_without_a_helper_does_nothing() -> None:
    variables = {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "300000"}
    assert seen(variables, helper=False) == [("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", WARN)]
