"""Base URLs whose path is probably wrong."""

from typing import Any

import pytest
from tests.support.builders.objects import credential, plan, route, secret, target

from claude_gateway.names import Reason
from claude_gateway.plan.problem import Severity


def unusual(*manifests: dict[str, Any]) -> list[tuple[str, str]]:
    found = [problem for problem in plan(*manifests).problems if problem.reason is Reason.BASE_URL_UNUSUAL]
    assert {problem.severity for problem in found} <= {Severity.WARNING}
    return [(problem.field, problem.message) for problem in found]


@pytest.mark.parametrize(
    ("model", "url", "words"),
    [
        ("openai/q", "https://h.example", "expect `/v1`"),
        ("hosted_vllm/q", "https://h.example/", "expect `/v1`"),
        ("openai/q", "https://h.example/v1/chat/completions", "ends in `/chat/completions`"),
        ("anthropic/q", "https://h.example/v1/messages", "ends in `/messages`"),
        ("openai/q", "https://h.example/V1/Chat/Completions", "ends in `/Chat/Completions`"),
        ("openai/q", "http://h.example:11434/api/chat/", "ends in `/api/chat`"),
        ("openai/q", "https://h.example/v1/models", "ends in `/models`"),
        ("gemini/q", "https://h.example/v1beta/models/q:generateContent", "ends in `:generateContent`"),
    ],
)
def test_a_target(model: str, url: str, words: str) -> None:
    ((field, message),) = unusual(route(targets=[target(model, baseURL=url)]))
    assert (field, words in message) == ("spec.targets[0].baseURL", True)


def test_a_credential() -> None:
    ((field, _),) = unusual(secret(), credential(provider="openai", baseURL="https://h.example"))
    assert field == "spec.apiKey.baseURL"


@pytest.mark.parametrize(
    ("model", "url"),
    [("openai/q", "https://h.example/v1"), ("openai/q", "https://h.example/api"), ("anthropic/q", "https://h.example")],
)
def test_usual_ones(model: str, url: str) -> None:
    assert unusual(route(targets=[target(model, baseURL=url)]), route("broken", targets=[])) == []
