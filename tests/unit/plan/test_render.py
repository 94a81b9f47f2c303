"""The bundle's bytes: deterministic, readable, and what its readers take."""

import json
from typing import Any

import pytest
import yaml
from tests.support.builders.objects import credential, plan, route, secret, sound, target

from claude_gateway.contract.bundle import pack, unpack
from claude_gateway.contract.policy import Policy
from claude_gateway.plan.decide import Plan
from claude_gateway.plan.litellm_config import (
    Deployment,
    LiteLLMConfig,
    LiteLLMParams,
    ModelInfo,
    RouterSettings,
    environment_name,
)


def config(decided: Plan) -> LiteLLMConfig:
    return LiteLLMConfig.model_validate(yaml.safe_load(decided.bundle.litellm))


def test_gateway_json_is_the_policy_sorted() -> None:
    decided = plan(*sound())
    assert Policy.model_validate_json(decided.bundle.gateway) == decided.policy
    loaded = json.loads(decided.bundle.gateway)
    assert decided.bundle.gateway.decode() == json.dumps(loaded, sort_keys=True, separators=(",", ":")) + "\n"


def test_the_bundle_unpacks_to_itself() -> None:
    decided = plan(*sound())
    assert unpack(pack(decided.bundle)) == decided.bundle


def test_every_target_is_a_deployment() -> None:
    parameters = {"temperature": 0.5, "topP": 0.25, "reasoningEffort": "low"}
    decided = plan(
        secret(),
        credential(),
        route(
            "both",
            models=["claude-a", "on", "gpt-*"],
            targets=[
                target("anthropic/*", maxOutputTokens=4096, parameters=parameters),
                target("openai/llama", baseURL="http://vllm:8000/v1"),
            ],
            timeouts={"total": "10m"},
        ),
    )
    first, second = decided.policy.routes[0].targets
    assert first.secret is not None
    reference = f"os.environ/CLAUDE_GATEWAY_KEY_DEFAULT_KEYS_API_{first.secret[-8:].upper()}"
    assert config(decided) == LiteLLMConfig(
        model_list=(
            Deployment(
                model_name="default/both",
                litellm_params=LiteLLMParams(
                    model="anthropic/*",
                    api_base="https://api.anthropic.com",
                    api_key=reference,
                    temperature=0.5,
                    top_p=0.25,
                    reasoning_effort="low",
                    timeout=600.0,
                ),
                model_info=ModelInfo(id=first.id, gw_secret=first.secret, gw_max_output_tokens=4096),
            ),
            Deployment(
                model_name="default/both",
                litellm_params=LiteLLMParams(model="hosted_vllm/llama", api_base="http://vllm:8000/v1", timeout=600.0),
                model_info=ModelInfo(id=second.id, gw_preload=True),
            ),
        ),
        router_settings=RouterSettings(model_group_alias={"claude-a": "default/both", "on": "default/both"}),
    )


@pytest.mark.parametrize(
    ("base_url", "model"),
    [
        ("https://api.openai.com/v1", "openai/x"),
        ("https://eu.api.openai.com/v1", "openai/x"),
        ("https://evilapi.openai.com.example/v1", "hosted_vllm/x"),
        ("http://vllm/v1", "hosted_vllm/x"),
    ],
)
def test_openai_elsewhere_is_a_compatible_server(base_url: str, model: str) -> None:
    decided = plan(route(targets=[target("openai/x", baseURL=base_url)]))
    assert config(decided).model_list[0].litellm_params.model == model


def test_a_server_that_has_responses_only_stays_openais_for_litellm() -> None:
    elsewhere = {"baseURL": "http://vllm/v1"}
    decided = plan(route(targets=[target("openai/x", formats=["Responses"], **elsewhere)]))
    assert config(decided).model_list[0].litellm_params.model == "openai/x"
    both = plan(route(targets=[target("openai/x", formats=["Responses", "Chat"], **elsewhere)]))
    assert config(both).model_list[0].litellm_params.model == "hosted_vllm/x"


def test_a_route_without_targets_is_no_alias() -> None:
    empty = config(plan(route()))
    assert empty.model_list == ()
    assert empty.router_settings.model_group_alias == {}


def test_the_file_reads_as_one_would_write_it() -> None:
    decided = plan(route(models=["gpt-5"], targets=[target("hosted_vllm/x", baseURL="http://vllm:8000/v1")]))
    written = decided.bundle.litellm.decode()
    digest = decided.policy.routes[0].targets[0].id
    assert written == (
        "# Rendered by Claude Gateway from its ModelRoutes; keys come from the variables named here.\n"
        "model_list:\n"
        '  - model_name: "default/sonnet"\n'
        "    litellm_params:\n"
        '      model: "hosted_vllm/x"\n'
        '      api_base: "http://vllm:8000/v1"\n'
        "      timeout: 1800.0\n"
        "    model_info:\n"
        f'      id: "{digest}"\n'
        "      gw_preload: true\n"
        "litellm_settings:\n"
        "  drop_params: true\n"
        "  telemetry: false\n"
        "router_settings:\n"
        "  model_group_alias:\n"
        '    "gpt-5": "default/sonnet"\n'
    )


@pytest.mark.parametrize("number", [1e-05, 1.5e-07, 0.0, 1.0, 0.1, 2])
def test_numbers_stay_numbers(number: float) -> None:
    decided = plan(route(targets=[target("openai/x", baseURL="http://vllm/v1", parameters={"temperature": number})]))
    loaded: Any = yaml.safe_load(decided.bundle.litellm)
    written = loaded["model_list"][0]["litellm_params"]["temperature"]
    assert isinstance(written, float)
    assert written == number


@pytest.mark.parametrize(
    "name", ["on", "off", "yes", "no", "y", "n", "null", "true", "1e5", "0x1f", "1_000", "2026-01-01", "1:30"]
)
def test_names_stay_text(name: str) -> None:
    decided = plan(route(models=[name], targets=[target("openai/x", baseURL="http://vllm/v1")]))
    assert config(decided).router_settings.model_group_alias == {name: "default/sonnet"}


def test_an_environment_name_is_upper_snake() -> None:
    assert environment_name("team-a.keys.API_key.0a1b2c3d") == "CLAUDE_GATEWAY_KEY_TEAM_A_KEYS_API_KEY_0A1B2C3D"
