"""The values that cross: one JSON for one value, and room for what newer writers add."""

import pytest
import yaml
from pydantic import ValidationError

from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway.plan.litellm_config import Deployment, LiteLLMConfig, LiteLLMParams, ModelInfo

POLICY = Policy(
    routes=(
        Route(
            name="default/smart",
            models=("smart", "claude-*"),
            targets=(
                Target(
                    id="default/smart/0.0123abcd",
                    provider="openai",
                    model="gpt-5",
                    wire=Wire.OPENAI,
                    formats=(Format.CHAT, Format.RESPONSES),
                    base_url="https://api.openai.com/v1",
                    secret="default.openai.key.0123abcd",
                    max_output_tokens=100,
                ),
            ),
        ),
    ),
    clients=(Client(name="default/alice"),),
    client_keys="client-keys.0123abcd",
    egress=Egress(hosts=("vllm.local",)),
)


def test_the_policy_crosses_as_json_unchanged() -> None:
    written = POLICY.model_dump_json(by_alias=True)
    assert Policy.model_validate_json(written) == POLICY
    assert '"maxOutputTokens":100' in written
    assert '"clientKeys":"client-keys.0123abcd"' in written


def test_readers_ignore_what_a_newer_writer_added() -> None:
    assert Client.model_validate({"name": "a", "budget": {"amount": 1}}) == Client(name="a")
    report = {"wanted": "1", "gateway": {"revision": "1", "uptime": 3}}
    assert PodReport.model_validate(report) == PodReport(wanted="1", gateway=ProcessReport(revision="1"))


def test_an_empty_policy_lets_nobody_in() -> None:
    assert Policy().client_keys is None
    assert Policy().egress == Egress(loopback=False, hosts=())


def test_values_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        POLICY.client_keys = None  # type: ignore[misc]


def test_the_litellm_config_crosses_as_yaml_unchanged() -> None:
    config = LiteLLMConfig(
        model_list=(
            Deployment(
                model_name="default/smart",
                litellm_params=LiteLLMParams(model="gemini/x", api_key="os.environ/KEY"),
                model_info=ModelInfo(id="default/smart/0.0123abcd", gw_secret="a.0123abcd", gw_preload=True),
            ),
        )
    )
    text = yaml.safe_dump(config.model_dump(mode="json", exclude_none=True))
    assert LiteLLMConfig.model_validate(yaml.safe_load(text)) == config
