"""``import litellm``: the configuration of a LiteLLM proxy."""

from pathlib import Path

import pytest
from tests.support.builders.imported import DATA, LITELLM, manifests, note, route
from tests.support.processes.command import Outcome, call

WRITTEN = {
    "litellm.yaml": ("sk-written-in-the-file-0123456789",),
    "ccr.json": ("sk-or-written-in-the-file-01", "a-key-for-our-clients-0123"),
}


@pytest.fixture
def litellm() -> Outcome:
    return call("import", "litellm", DATA / "litellm.yaml", environment=LITELLM)


def test_without_a_file_for_them_secrets_are_only_named(litellm: Outcome) -> None:
    assert "keys in the file are not printed: set OPENAI_KEY, or import again with --secrets" in litellm.stderr
    assert WRITTEN["litellm.yaml"][0] not in litellm.stdout + litellm.stderr


def test_litellm_models_and_their_access(litellm: Outcome) -> None:
    objects = manifests(litellm)
    sonnet = route(objects, "claude-sonnet")
    assert sonnet["models"] == ["claude-sonnet", "claude-smart"]
    assert sonnet["timeouts"] == {"total": "300s", "firstToken": "60s"}
    assert [(each["model"], each.get("priority", 0)) for each in sonnet["targets"]] == [
        ("anthropic/claude-sonnet-5-5", 0),
        ("bedrock/us.anthropic.claude-haiku-5-5", 1),
        ("openai/gpt-5.5", 2),
        ("azure/gpt-5-deployment", 2),
    ]
    assert sonnet["targets"][0]["maxOutputTokens"] == 64000
    assert sonnet["targets"][0]["contextWindow"] == 200000
    assert [each.get("weight", 1) for each in route(objects, "team-gpt")["targets"]] == [3, 1]
    assert route(objects, "local")["targets"] == [{"model": "openai/llama-4", "baseURL": "http://127.0.0.1:9999/v1"}]
    assert route(objects, "fast") == route(objects, "local")
    assert route(objects, "written")["targets"][0]["parameters"] == {"temperature": 0}
    assert route(objects, "gemini/*")["targets"][0]["model"] == "gemini/*"
    assert objects["ClaudeCredential", "anthropic"]["apiKey"]["baseURL"] == "http://127.0.0.1:9999"
    assert objects["ClaudeCredential", "bedrock"]["bedrock"]["region"] == "us-west-2"
    assert objects["Secret", "bedrock"]["AWS_SECRET_ACCESS_KEY"] == "$AWS_SECRET_ACCESS_KEY"
    assert objects["Secret", "master-key"] == {"key": "$LITELLM_MASTER_KEY"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("litellm_settings.drop_params", "always left out"),
        ("litellm_settings.num_retries", "next target"),
        ("model_list[2].litellm_params.api_version", "version"),
        ("litellm_settings.success_callback", "no callbacks"),
        ("litellm_settings.custom_provider_map[1].provider", "not run"),
        ("model_list[7].model_info.mode", "only chat"),
        ("model_list[8].litellm_params.model", "`mistralai` is not a provider"),
        ("model_list[9].litellm_params.model", "subscription"),
        ("router_settings.model_group_alias.lost", "no model of this name"),
        ("router_settings.redis_host", "no database"),
        ("router_settings.routing_strategy", "by weight"),
        ("general_settings.database_url", "not read"),
        ("general_settings.something_new", "no setting of general_settings that this import knows"),
    ],
)
def test_litellm_settings_that_stay_behind_are_listed_with_their_place(
    litellm: Outcome, setting: str, said: str
) -> None:
    line = note(litellm, setting)
    assert said in line
    assert f"{DATA / 'litellm.yaml'}:" in line


def test_a_custom_provider_that_asks_claude_code_becomes_the_owners_subscription() -> None:
    outcome = call("import", "litellm", DATA / "litellm.yaml", "--owner", "me@example.com", environment=LITELLM)
    objects = manifests(outcome)
    assert route(objects, "subscription")["targets"] == [{"model": "claude-code/sonnet", "credential": "subscription"}]
    assert route(objects, "subscription")["allowedClients"] == {"from": "Clients", "clients": ["master"]}
    assert objects["ClaudeCredential", "subscription"]["subscription"]["owner"] == "me@example.com"
    assert objects["GatewayClient", "master"]["owner"] == "me@example.com"


def test_a_master_key_that_is_too_short_is_replaced(tmp_path: Path) -> None:
    source, keys = tmp_path / "config.yaml", tmp_path / "keys.env"
    source.write_text(
        "model_list: [{model_name: a, litellm_params: {model: gpt-5}}]\ngeneral_settings: {master_key: sk-1234}\n"
    )
    assert "GatewayClient" not in call("import", "litellm", source).stdout
    outcome = call("import", "litellm", source, "--secrets", keys)
    assert manifests(outcome)["Secret", "master-key"] == {"key": "$CLAUDE_GATEWAY_KEY"}
    assert keys.read_text().startswith("CLAUDE_GATEWAY_KEY=cgw_")
    assert "sk-1234" not in outcome.stdout + outcome.stderr


def test_a_written_key_never_takes_the_name_of_a_variable_that_the_file_refers_to(tmp_path: Path) -> None:
    source, keys = tmp_path / "config.yaml", tmp_path / "keys.env"
    source.write_text(
        "model_list:\n"
        "- {model_name: a, litellm_params: {model: openai/a, api_key: sk-written, api_base: 'http://10.0.0.1/v1'}}\n"
        "- {model_name: b, litellm_params: {model: openai/b, api_key: os.environ/OPENAI_KEY}}\n"
        "- {model_name: c, litellm_params: {model: openai/c}}\n"
        "- {model_name: d, litellm_params: {model: openai/d, api_key: sk-written, api_base: 'http://10.0.0.1/v1'}}\n"
    )
    objects = manifests(call("import", "litellm", source, "--secrets", keys))
    used = {name: spec["key"] for (kind, name), spec in objects.items() if kind == "Secret"}
    found = {model: used[route(objects, model)["targets"][0]["credential"]] for model in "abcd"}
    assert found == {"a": "$OPENAI_KEY_2", "b": "$OPENAI_KEY", "c": "$OPENAI_API_KEY", "d": "$OPENAI_KEY_2"}
    assert "OPENAI_KEY_2=sk-written" in keys.read_text()


def test_patterns_pass_on_the_name_and_a_general_fallback_is_for_all(tmp_path: Path) -> None:
    source = tmp_path / "config.yaml"
    source.write_text(
        "model_list:\n"
        "- {model_name: openai/gpt-*, litellm_params: {model: openai/gpt-*}}\n"
        "- {model_name: local, litellm_params: {model: ollama/llama2}}\n"
        "litellm_settings: {fallbacks: [{'*': [{model: local, api_key: sk-in-a-fallback}]}]}\n"
    )
    outcome = call("import", "litellm", source)
    targets = route(manifests(outcome), "openai/gpt-*")["targets"]
    assert [each["model"] for each in targets] == ["openai/*", "ollama/llama2"]
    assert targets[1]["baseURL"] == "http://localhost:11434"
    assert "sk-in-a-fallback" not in outcome.stdout + outcome.stderr


def test_a_file_of_aliases_is_walked_once(tmp_path: Path) -> None:
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    source = tmp_path / "config.yaml"
    source.write_text(f"a0: &a0 [x]\n{laughs}\nmodel_list: [{{model_name: m, litellm_params: {{model: gpt-5}}}}]\n")
    assert route(manifests(call("import", "litellm", source)), "m")["targets"][0]["model"] == "openai/gpt-5"


def test_objects_with_the_same_name_are_numbered(tmp_path: Path) -> None:
    entries = "".join(
        f"- {{model_name: 'M.{n % 2}', litellm_params: {{model: openai/m, api_key: sk-{n}}}}}\n" for n in range(4)
    )
    source = tmp_path / "config.yaml"
    source.write_text(
        f"model_list:\n{entries}- {{model_name: M-0, litellm_params: {{model: openai/m, api_key: sk-0}}}}\n"
    )
    objects = manifests(call("import", "litellm", source))
    assert [name for kind, name in objects if kind == "ModelRoute"] == ["m-0", "m-1", "m-0-2"]
    assert [name for kind, name in objects if kind == "ClaudeCredential"] == [
        "openai",
        "openai-2",
        "openai-3",
        "openai-4",
    ]


@pytest.fixture
def published() -> Outcome:
    return call("import", "litellm", DATA / "litellm-proxy.yaml", environment=LITELLM)


def test_the_published_shapes_of_litellm(published: Outcome) -> None:
    objects = manifests(published)
    assert [each["model"] for each in route(objects, "chat")["targets"]] == [
        "openai/gpt-3.5-turbo",
        "azure/chat-deployment",
    ]
    # A host that begins like the path of a deployment.
    assert objects["ClaudeCredential", "azure"]["apiKey"]["baseURL"] == "https://openai-east.openai.azure.com"
    assert route(objects, "embed")["targets"] == [{"model": "azure/embed-deployment", "credential": "azure"}]
    priced = route(objects, "priced")["targets"][0]
    assert priced["prices"] == {"input": "3", "output": "15", "cacheRead": "0.3"}
    assert priced["limits"] == {"concurrent": 10}
    assert "prices" not in route(objects, "half-priced")["targets"][0]
    assert not any(
        model in spec["models"] for spec in objects.values() for model in ("pictures", "order") if "models" in spec
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("model_list[0].rpm", "only inside `litellm_params`"),
        ("model_list[1].litellm_params.tpm", "a weight here"),
        ("model_list[2].litellm_params.api_base", "query"),
        ("model_list[4].litellm_params.input_cost_per_token", "input and output"),
        ("model_list[4].litellm_params.region_name", "no choice by region"),
        ("model_list[4].litellm_params.mock_timeout", "not simulated"),
        ("model_list[5].litellm_params.model", "only chat"),
        ("model_list[6].litellm_params.model", "only chat"),
        ("litellm_settings.cache", "where a route says so"),
        ("litellm_settings.callbacks", "no callbacks"),
        ("litellm_settings.max_budget", "objects of their own"),
        ("litellm_settings.default_team_settings", "teams"),
        ("search_tools", "the model's own"),
        ("guardrails", "no guardrails"),
        ("general_settings.master_key", "fewer than 16"),
        ("general_settings.custom_auth", "not run"),
        ("general_settings.enable_jwt_auth", "issuer"),
        ("general_settings.use_redis_transaction_buffer", "no database"),
    ],
)
def test_what_the_published_shapes_lose_is_named_with_what_to_do(published: Outcome, setting: str, said: str) -> None:
    assert said in note(published, setting)
    assert "that this import knows" not in published.stderr
    assert "failure_callback" not in published.stderr, "an empty value says nothing"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input_cost_per_token: free, output_cost_per_token: 1", "not a price in dollars"),
        ("input_cost_per_token: -1, output_cost_per_token: 0.1", "not a price in dollars"),
        ("output_cost_per_token: .nan", "not a price in dollars"),
        ("input_cost_per_token: 0.1", "input and output"),
    ],
)
def test_prices_that_are_none(text: str, said: str, tmp_path: Path) -> None:
    source = tmp_path / "config.yaml"
    source.write_text(f"model_list: [{{model_name: m, litellm_params: {{model: gpt-5, {text}}}}}]\n")
    outcome = call("import", "litellm", source)
    assert "prices" not in route(manifests(outcome), "m")["targets"][0]
    assert said in outcome.stderr
