"""Names of models, and which releases of the CLI are tested."""

import pytest

from claude_gateway_claude_code.models import candidates
from claude_gateway_claude_code.version import Release, check


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("sonnet", ("sonnet",)),
        ("Opus", ("opus",)),
        ("default", ("opus", "sonnet")),
        ("claude-code-sdk/default", ("opus", "sonnet")),
        ("claude-code/haiku", ("haiku",)),
        ("anthropic/claude-sonnet-4-6", ("claude-sonnet-4-6",)),
        ("claude-opus-5-5[1m]", ("claude-opus-5-5[1m]",)),
        ("claude-3-5-haiku-20240307", ("haiku",)),
        ("claude-3-opus-20240229", ("opus",)),
        ("claude-3-5-sonnet-latest", ("sonnet",)),
        ("claude-2.1", ("sonnet",)),
        ("claude-haiku-4-5-20251001", ("claude-haiku-4-5-20251001",)),
        ("", ()),
        ("claude-code/", ()),
        ("-flag", ()),
        ("a\nb", ()),
        ("x" * 300, ()),
    ],
)
def test_a_name_is_one_that_claude_code_takes(name: str, asked: tuple[str, ...]) -> None:
    assert candidates(name) == asked


@pytest.mark.parametrize(
    ("said", "tested"),
    [
        ("2.1.328 (Claude Code)", Release.TESTED),
        ("2.1.197 (Claude Code)", Release.OLDER),
        ("1.99.999", Release.OLDER),
        ("2.2.0 (Claude Code)", Release.NEWER),
        ("10.0.0", Release.NEWER),
        ("Segmentation fault", Release.UNKNOWN),
        ("", Release.UNKNOWN),
    ],
)
def test_a_release_is_compared_with_the_tested_range(said: str, tested: Release) -> None:
    assert check(said) is tested
