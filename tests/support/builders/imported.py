"""Configurations of other gateways, and what ``import`` makes of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from tests.support.processes.command import Outcome

DATA: Final = Path(__file__).parents[2] / "data" / "imports"
LITELLM: Final = {
    "UPSTREAM_URL": "http://127.0.0.1:9999",
    "UPSTREAM_OPENAI_URL": "http://127.0.0.1:9999/v1",
    "LITELLM_MASTER_KEY": "sk-master-0123456789abcdef",
    "ANTHROPIC_API_KEY": "sk-ant-0123456789abcdef",
    "OPENAI_API_KEY": "sk-openai-0123456789abcdef",
    "AZURE_API_KEY": "azure-0123456789abcdef",
    "AWS_ACCESS_KEY_ID": "AKIA0123456789",
    "AWS_SECRET_ACCESS_KEY": "aws-secret-0123456789abcdef",
    "GEMINI_API_KEY": "gemini-0123456789abcdef",
}
CCR: Final = {"DEEPSEEK_API_KEY": "deepseek-0123456789", "ANTHROPIC_API_KEY": "sk-ant-0123456789abcdef"}


def manifests(outcome: Outcome) -> dict[tuple[str, str], Any]:
    assert outcome.code == 0, outcome.stderr
    found = [each for each in yaml.safe_load_all(outcome.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each.get("spec") or each["stringData"] for each in found}


def route(objects: Mapping[tuple[str, str], Any], model: str) -> Any:
    return next(spec for (kind, _), spec in objects.items() if kind == "ModelRoute" and model in spec["models"])


def note(outcome: Outcome, setting: str) -> str:
    """The line about a setting; an AssertionError if there is none."""
    lines = [line for line in outcome.stderr.splitlines() if f" {setting}: " in line]
    assert lines, f"{setting} in {outcome.stderr}"
    return lines[0]
