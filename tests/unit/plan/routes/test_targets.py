"""Targets: where a route's requests go, and what happens to those that cannot."""

from typing import Any

import pytest
from tests.support.builders.objects import credential, plan, route, secret, target

from claude_gateway.contract.target import Format, Parameters, Target, Wire
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan

COMPATIBLE = (Format.CHAT, Format.COMPLETIONS, Format.EMBEDDINGS)


def decided(*targets: dict[str, Any], others: tuple[Any, ...] = ()) -> Plan:
    return plan(secret(), credential(), credential("openai", provider="openai"), route(targets=targets), *others)


def problems_of(found: Plan) -> list[tuple[str, str]]:
    return [(p.field, p.reason) for p in found.problems]


def served(found: Plan) -> tuple[Target, ...]:
    return found.policy.routes[0].targets


def conditions(found: Plan) -> dict[str, tuple[str, str]]:
    (status,) = [status for status in found.statuses if status.object.kind == "ModelRoute"]
    return {condition.type: (condition.status, condition.reason) for condition in status.conditions}


@pytest.mark.parametrize(
    ("written", "wire", "formats", "base_url"),
    [
        (target(), Wire.ANTHROPIC, (Format.MESSAGES, Format.COUNT_TOKENS), "https://api.anthropic.com"),
        (target("anthropic/*"), Wire.ANTHROPIC, (Format.MESSAGES, Format.COUNT_TOKENS), "https://api.anthropic.com"),
        (target("openai/gpt-5", "openai"), Wire.OPENAI, (*COMPATIBLE, Format.RESPONSES), "https://api.openai.com/v1"),
        (
            target("openai/gpt-5", baseURL="https://EU.api.openai.com/v1"),
            Wire.OPENAI,
            (*COMPATIBLE, Format.RESPONSES),
            "https://EU.api.openai.com/v1",
        ),
        (target("openai/gpt-5-codex", "openai"), Wire.OPENAI, (Format.RESPONSES,), "https://api.openai.com/v1"),
        (target("openai/gpt-5-codex", baseURL="http://vllm:8000/v1"), Wire.OPENAI, COMPATIBLE, "http://vllm:8000/v1"),
        (
            target("openai/x", baseURL="http://vllm:8000/v1", formats=["Responses", "Chat"]),
            Wire.OPENAI,
            (Format.RESPONSES, Format.CHAT),
            "http://vllm:8000/v1",
        ),
        (
            target("anthropic/x", baseURL="http://bridge:8000", formats=["Messages"]),
            Wire.ANTHROPIC,
            (Format.MESSAGES,),
            "http://bridge:8000",
        ),
        (target("openai/x", baseURL="http://vllm:8000/v1"), Wire.OPENAI, COMPATIBLE, "http://vllm:8000/v1"),
        (target("openai/x", baseURL="http://xapi.openai.com/v1"), Wire.OPENAI, COMPATIBLE, "http://xapi.openai.com/v1"),
        (target("hosted_vllm/x", baseURL="http://vllm:8000/v1/"), Wire.OPENAI, COMPATIBLE, "http://vllm:8000/v1"),
        (target("ollama/llama3:8b", baseURL="http://ollama:11434"), None, (), "http://ollama:11434"),
        (target("anthropic/x", baseURL="http://bridge:8000/v1"), Wire.ANTHROPIC, None, "http://bridge:8000"),
    ],
)
def test_how_a_target_is_reached(
    written: dict[str, Any], wire: Wire | None, formats: tuple[Format, ...] | None, base_url: str
) -> None:
    (only,) = served(decided(written))
    assert (only.wire, only.base_url) == (wire, base_url)
    assert formats is None or only.formats == formats


_CLAUDES = (Format.MESSAGES, Format.COUNT_TOKENS)
_OPENAIS = (Format.CHAT, Format.RESPONSES)


@pytest.mark.parametrize(
    ("written", "codec"),
    [
        (target(), _OPENAIS),
        (target("openai/gpt-5", "openai"), _CLAUDES),
        (target("openai/x", baseURL="http://vllm:8000/v1"), _CLAUDES),
        (target("openai/x", baseURL="http://vllm:8000/v1", formats=["Responses"]), _CLAUDES),
        (target("hosted_vllm/x", baseURL="http://vllm:8000/v1"), _CLAUDES),
        (target("hosted_vllm/x", baseURL="http://vllm:8000/v1", via="LiteLLM"), ()),
        (target("deepseek/deepseek-chat", baseURL="http://proxy:8000"), _CLAUDES),
        (target("xai/grok-5", baseURL="http://proxy:8000"), _CLAUDES),
        (target("perplexity/sonar", baseURL="http://proxy:8000"), ()),
        (target("perplexity/sonar", baseURL="http://proxy:8000", via="LiteLLM"), ()),
    ],
)
def test_the_formats_of_the_codec_are_the_providers_unless_a_target_says_otherwise(
    written: dict[str, Any], codec: tuple[Format, ...]
) -> None:
    (found,) = served(decided(written))
    assert found.translation.codec == codec
    assert found.base_url is not None or not codec, "the codec needs an address"


def test_a_target_that_changes_its_lane_is_another_target() -> None:
    (one,) = served(decided(target("openai/gpt-5", "openai")))
    (other,) = served(decided(target("openai/gpt-5", "openai", via="LiteLLM")))
    assert one.id != other.id
    assert other.translation == one.translation.model_copy(update={"codec": ()})


def test_everything_that_a_target_says_is_held() -> None:
    parameters = {"temperature": 0.5, "topP": 0.9, "reasoningEffort": "high"}
    (only,) = served(decided(target(weight=9, priority=2, maxOutputTokens=4096, parameters=parameters)))
    assert (only.provider, only.model) == ("anthropic", "claude-sonnet-5-5")
    assert (only.weight, only.priority, only.max_output_tokens) == (9, 2, 4096)
    assert only.parameters == Parameters(temperature=0.5, top_p=0.9, reasoning_effort="high")


def test_a_target_is_named_by_content() -> None:
    first, second = served(decided(target(), target(weight=2)))
    assert first.id.startswith("default/sonnet/0.")
    assert second.id.startswith("default/sonnet/1.")
    assert served(decided(target()))[0].id == first.id
    assert served(decided(target(weight=3)))[0].id != first.id


def test_a_bad_target_is_left_out_and_the_good_ones_serve() -> None:
    found = decided(target(credential="nobody"), target())
    assert [only.id.rpartition(".")[0] for only in served(found)] == ["default/sonnet/1"]
    assert problems_of(found) == [("spec.targets[0].credential", Reason.CREDENTIAL_NOT_FOUND)]
    assert conditions(found) == {
        ConditionType.ACCEPTED: ("True", Reason.ACCEPTED),
        ConditionType.RESOLVED_REFS: ("False", Reason.CREDENTIAL_NOT_FOUND),
    }


def test_a_route_without_any_target_left_keeps_its_names() -> None:
    found = decided(target(credential="nobody"), others=(route("all", models=["*"]),))
    kept = {entry.name: entry for entry in found.policy.routes}["default/sonnet"]
    assert (kept.models, kept.targets) == (("claude-sonnet-5-5",), ())


@pytest.mark.parametrize(
    ("written", "field", "reason"),
    [
        (target("openai/gpt-5", "anthropic"), "credential", Reason.CREDENTIAL_MISMATCH),
        (target("antropic/x"), "model", Reason.PROVIDER_UNKNOWN),
        (target("sagemaker/x"), "model", Reason.PROVIDER_NOT_SUPPORTED),
        (target("openai/x", "openai", formats=["Messages"]), "formats", Reason.INVALID),
        (target("anthropic/x", formats=["Messages", "Chat"]), "formats", Reason.INVALID),
        (target("gemini/x", baseURL="http://g:1", formats=["Chat"]), "formats", Reason.INVALID),
        (target("openai/x", baseURL="http://localhost/v1"), "baseURL", Reason.ADDRESS_NOT_ALLOWED),
    ],
)
def test_targets_that_cannot_serve(written: dict[str, Any], field: str, reason: Reason) -> None:
    found = decided(target(), written)
    assert (f"spec.targets[1].{field}", reason) in problems_of(found)
    assert len(served(found)) == 1


def test_a_spec_mistake_in_one_target_and_in_all() -> None:
    local = target("openai/x", baseURL="http://localhost/v1")
    assert conditions(decided(target(), local))[ConditionType.ACCEPTED] == ("True", Reason.PARTIALLY_ACCEPTED)
    assert conditions(decided(local))[ConditionType.ACCEPTED] == ("False", Reason.ADDRESS_NOT_ALLOWED)


def test_an_unusable_credential_is_told_at_the_route_too() -> None:
    found = plan(credential(), route())
    assert [(p.object.kind, p.reason) for p in found.problems] == [
        ("ClaudeCredential", Reason.SECRET_NOT_FOUND),
        ("ModelRoute", Reason.CREDENTIAL_NOT_USABLE),
    ]


def test_timeouts_are_held_in_seconds() -> None:
    found = plan(route(timeouts={"firstToken": "90s", "idle": "500ms", "total": "1h30m"}))
    timeouts = found.policy.routes[0].timeouts
    assert (timeouts.first_token, timeouts.idle, timeouts.total) == (90.0, 0.5, 5400.0)


def test_a_provider_that_does_not_exist_is_one_problem() -> None:
    (problem,) = plan(secret(), credential(), route(targets=[target("opnai/gpt-5")])).problems
    assert (problem.reason, problem.fix) == (Reason.PROVIDER_UNKNOWN, "Did you mean `openai`?")
