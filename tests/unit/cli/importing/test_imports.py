"""``import``: our YAML for other gateways' configurations, what it reports, and no secret in anything it prints."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.processes.command import Outcome, call

from claude_gateway.cli.importing import yamlfile

DATA = Path(__file__).parents[3] / "data" / "imports"
LITELLM = {
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
CCR = {"DEEPSEEK_API_KEY": "deepseek-0123456789", "ANTHROPIC_API_KEY": "sk-ant-0123456789abcdef"}
WRITTEN = {
    "litellm.yaml": ("sk-written-in-the-file-0123456789",),
    "ccr.json": ("sk-or-written-in-the-file-01", "a-key-for-our-clients-0123"),
}


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


@pytest.fixture
def litellm() -> Outcome:
    return call("import", "litellm", DATA / "litellm.yaml", environment=LITELLM)


@pytest.fixture
def ccr() -> Outcome:
    return call("import", "ccr", DATA / "ccr.json", environment=CCR)


@pytest.mark.parametrize(
    ("command", "name", "environment"),
    [
        (("litellm",), "litellm.yaml", LITELLM),
        (("litellm", "--owner", "me@example.com"), "litellm.yaml", LITELLM),
        (("env",), "big-small.env", {}),
        (("env",), "thinker.env", {}),
        (("env",), "middle.env", {}),
        (("ccr",), "ccr.json", CCR),
        (("litellm",), "litellm-proxy.yaml", LITELLM),
        (("ccr",), "ccr-providers.json", {"AZURE_API_KEY": "azure-0123456789abcdef"}),
        (("env",), "preferred.env", {}),
    ],
)
def test_the_output_passes_lint_and_no_secret_is_printed(
    command: tuple[str, ...], name: str, environment: Mapping[str, str], tmp_path: Path
) -> None:
    keys = tmp_path / "keys.env"
    source = DATA / name
    outcome = call("import", *command, source, "--secrets", keys, environment=environment)
    assert outcome.code == 0
    output = tmp_path / "imported.yaml"
    output.write_text(outcome.stdout)
    values = keys.read_text() + (source.read_text() if name.endswith(".env") else "")
    (tmp_path / "all.env").write_text(values)
    checked = call("lint", "-f", output, "--env-file", tmp_path / "all.env", environment=environment)
    assert checked.code == 0, checked.stdout
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    written = WRITTEN.get(name, ())
    assert all(secret in keys.read_text() for secret in written)
    kept = {value for variable, value in environment.items() if "URL" not in variable}
    made = [line.partition("=")[2] for line in keys.read_text().splitlines()]
    for secret in (*written, *kept, *made):
        assert secret not in outcome.stdout + outcome.stderr


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


def test_big_and_small_take_the_families_of_claude() -> None:
    objects = manifests(call("import", "env", DATA / "big-small.env"))
    assert route(objects, "claude-*")["targets"][0]["model"] == "openai/gpt-5.5"
    assert route(objects, "claude-*haiku*")["targets"][0]["model"] == "openai/gpt-5.4-mini"
    assert route(objects, "gpt-*")["targets"] == [{"model": "openai/*", "credential": "openai"}]
    assert route(objects, "gemini-*")["targets"][0]["credential"] == "gemini"
    assert objects["Secret", "openai"] == {"key": "$OPENAI_API_KEY"}
    assert not [name for kind, name in objects if kind == "GatewayClient"]


def test_passthrough_keeps_the_name_and_an_unprefixed_name_is_openais() -> None:
    objects = manifests(call("import", "env", DATA / "thinker.env"))
    assert route(objects, "claude-*")["targets"] == [{"model": "anthropic/*", "credential": "anthropic"}]
    assert route(objects, "claude-*haiku*")["targets"][0]["model"] == "openai/gpt-5.4-mini"


def test_one_server_gets_whole_names_and_anthropics_key_is_the_clients() -> None:
    outcome = call("import", "env", DATA / "middle.env")
    objects = manifests(outcome)
    assert route(objects, "claude-*")["targets"][0]["model"] == "openrouter/anthropic/claude-opus-5-5"
    assert route(objects, "claude-*sonnet*")["targets"][0]["model"] == "openrouter/openai/gpt-5.5"
    assert route(objects, "claude-*")["targets"][0]["maxOutputTokens"] == 32000
    assert route(objects, "claude-*")["timeouts"] == {"total": "90s", "firstToken": "90s"}
    assert objects["Secret", "me-key"] == {"key": "$ANTHROPIC_API_KEY"}
    assert "taken for the key of the clients" in note(outcome, "ANTHROPIC_API_KEY")
    assert f"{DATA / 'middle.env'}:12:1" in note(outcome, "SOMETHING_NEW")
    assert "listens" in note(outcome, "PORT")


def test_names_are_not_mapped_for_anthropic_itself(tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text("PREFERRED_PROVIDER=anthropic\nANTHROPIC_API_KEY=sk-ant-0123456789\nBIG_MODEL=gpt-5\n")
    outcome = call("import", "env", source)
    assert route(manifests(outcome), "claude-*")["targets"][0]["model"] == "anthropic/*"
    assert "names are not mapped" in note(outcome, "BIG_MODEL")


def test_passthrough_without_a_key_sends_the_clients_login_on(tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text("BIG_MODEL=passthrough\n")
    target = route(manifests(call("import", "env", source)), "claude-*")["targets"][0]
    assert target == {"model": "anthropic/*", "forwardClientToken": True}


def test_gemini_takes_its_own_names_and_openai_the_others(tmp_path: Path) -> None:
    source = tmp_path / ".env"
    source.write_text(
        "PREFERRED_PROVIDER=google\nGEMINI_API_KEY=gemini-0123\nOPENAI_API_KEY=sk-0123\nSMALL_MODEL=gpt-5\n"
    )
    objects = manifests(call("import", "env", source))
    assert route(objects, "claude-*")["targets"][0]["model"] == "gemini/gemini-2.5-pro"
    assert route(objects, "claude-*haiku*")["targets"][0]["model"] == "openai/gpt-5"


def test_ccr_providers_and_models(ccr: Outcome) -> None:
    objects = manifests(ccr)
    default = route(objects, "*")
    assert [(each["model"], each.get("priority", 0)) for each in default["targets"]] == [
        ("deepseek/deepseek-chat", 0),
        ("anthropic/claude-opus-5-5", 1),
    ]
    assert default["targets"][0]["maxOutputTokens"] == 8192
    assert default["timeouts"] == {"total": "600s"}
    background = route(objects, "*haiku*")["targets"]
    assert background == [{"model": "hosted_vllm/qwen3-coder:30b", "baseURL": "http://localhost:11434/v1"}]
    assert route(objects, "router.ai/google/gemini-3-pro")["targets"][0]["model"] == "openrouter/google/gemini-3-pro"
    assert "baseURL" not in objects["ClaudeCredential", "claude"]["apiKey"]
    assert objects["Secret", "claude"] == {"key": "$ANTHROPIC_API_KEY"}
    assert objects["Secret", "router-ai"] == {"key": "$ROUTER_AI_API_KEY"}
    assert objects["Secret", "me-key"] == {"key": "$CCR_APIKEY"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("Providers[0].transformer.use[0]", "translates"),
        ("Providers[0].transformer.deepseek-chat.use[0]", "calls of tools work"),
        ("Providers[1].transformer.use[0]", "options of `openrouter`"),
        ("Providers[2].api_key", "needs no key"),
        ("Providers[3].transformer.use[0]", "relayed as they are"),
        ("Providers[3].transformer.use[1]", "`my-own` is not a transformer"),
        ("Router.image", "not a `provider,model`"),
        ("CUSTOM_ROUTER_PATH", "not run"),
        ("HOST", "listens"),
    ],
)
def test_ccr_settings_that_stay_behind_are_listed_with_their_place(ccr: Outcome, setting: str, said: str) -> None:
    line = note(ccr, setting)
    assert said in line
    assert f"{DATA / 'ccr.json'}:" in line


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        ("litellm", "a: [\n", "bad:2:1: not valid YAML"),
        ("litellm", "", "bad:1:1: the file is empty"),
        ("litellm", "- a\n", "bad:1:1: not a mapping"),
        ("litellm", "a: 1\na: 2\n", "the key a is written twice"),
        ("litellm", "kind: ModelRoute\n", "`model_list` is missing"),
        ("litellm", "model_list: []\n", "no model could be carried over"),
        ("litellm", "model_list: {}\n", "model_list: the value is not a list"),
        ("litellm", "model_list: [x]\n", "model_list[0]: the value is not a mapping"),
        ("litellm", "model_list: [{litellm_params: {}}]\n", "model_list[0].model_name: the entry has no name"),
        ("litellm", "model_list: [{model_name: a}]\n", "model_list[0].litellm_params.model: the entry has no model"),
        ("env", "BIG_MODEL\n", "bad:1: this line cannot be read"),
        ("env", "A=1\n", "none of BIG_MODEL"),
        ("env", "PREFERRED_PROVIDER=nobody\nBIG_MODEL=x\n", "BIG_MODEL: `nobody` is not a provider"),
        ("ccr", "{", "not valid YAML"),
        ("ccr", '{"Router": {}}', "`Providers` is missing"),
        ("ccr", '{"Providers": [{"name": "x"}]}', "Providers[0].api_base_url: the provider has no `api_base_url`"),
        (
            "ccr",
            '{"Providers": [{"name": "x", "api_key": "sk-1", "api_base_url": "ftp://x"}]}',
            "Providers[0].api_base_url: apiKey.baseURL",
        ),
    ],
)
def test_bad_input_names_the_file_the_field_and_the_fix(command: str, text: str, said: str, tmp_path: Path) -> None:
    source = tmp_path / "bad"
    source.write_text(text)
    outcome = call("import", command, source)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert said in outcome.stderr
    assert outcome.stderr.rstrip().splitlines()[-1].startswith("  ")


def test_an_existing_file_of_secrets_is_not_overwritten(tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text("mine")
    outcome = call("import", "ccr", DATA / "ccr.json", "--secrets", keys, environment=CCR)
    assert (outcome.code, outcome.stdout, keys.read_text()) == (1, "", "mine")
    assert "already exists" in outcome.stderr


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


def test_names_of_a_file_cannot_control_the_terminal(tmp_path: Path) -> None:
    source = tmp_path / "config.yaml"
    source.write_text('model_list: [{model_name: a, litellm_params: {model: gpt-5, "x\\e[2J": 1}}]\n')
    outcome = call("import", "litellm", source)
    assert "\x1b" not in outcome.stderr
    assert "x\\x1b[2J" in outcome.stderr


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('{"a": 1} // x', '{"a": 1}     '),
        ('{"a": "// no", /* b\nc */ "d": 1}', '{"a": "// no",     \n     "d": 1}'),
        ('{"a": "\\"/*"}', '{"a": "\\"/*"}'),
        ("\t{} /* open", " {}        "),
        ('"open', '"open'),
    ],
)
def test_comments_become_spaces_so_that_positions_stay(text: str, plain: str) -> None:
    assert "".join(yamlfile.plain(text)) == plain


def test_the_roles_of_ccr_become_rules(ccr: Outcome) -> None:
    objects = manifests(ccr)
    rules = {each["name"]: (each["match"], each["targets"][0]["model"]) for each in route(objects, "*")["rules"]}
    assert rules == {
        "long-context": ({"inputTokensAtLeast": 90000}, "openrouter/google/gemini-3-pro"),
        "web-search": ({"serverTools": ["web_search*"]}, "anthropic/claude-opus-5-5"),
        "think": ({"thinking": "Enabled"}, "deepseek/deepseek-reasoner"),
    }
    assert [each["name"] for each in route(objects, "*haiku*")["rules"]] == ["long-context"]


def test_the_thinker_becomes_a_rule() -> None:
    outcome = call("import", "env", DATA / "thinker.env")
    big = route(manifests(outcome), "claude-*")
    target = {"model": "openai/gpt-5.5-pro", "credential": "openai"}
    assert big["rules"] == [{"name": "thinker", "match": {"thinking": "Enabled"}, "targets": [target]}]
    assert "nearly every request" in note(outcome, "BIG_MODEL")
    assert "rules" not in route(manifests(outcome), "claude-*haiku*")


@pytest.mark.parametrize(
    ("text", "model", "access"),
    [
        (
            "PREFERRED_PROVIDER=google\nUSE_VERTEX_AUTH=true\nVERTEX_PROJECT=my-project\nVERTEX_LOCATION=us-central1\n",
            "vertex_ai/gemini-2.5-pro",
            {"credential": "vertex"},
        ),
        (
            "OPENAI_API_KEY=azure-key\nOPENAI_BASE_URL=https://me.openai.azure.com/openai/deployments/x\nBIG_MODEL=gpt-4\n",
            "azure/gpt-4",
            {"credential": "azure"},
        ),
        (
            "OPENAI_API_KEY=dummy\nOPENAI_BASE_URL=http://localhost:11434/v1\nBIG_MODEL=llama3.1:70b\n",
            "hosted_vllm/llama3.1:70b",
            {"baseURL": "http://localhost:11434/v1"},
        ),
        (
            "BIG_ENDPOINT=https://api.openai.com/v1\nBIG_API_KEY=sk-0123\nBIG_MODEL=gpt-5\n",
            "openai/gpt-5",
            {"credential": "big-openai"},
        ),
    ],
)
def test_forks_name_their_servers_in_other_ways(
    text: str, model: str, access: dict[str, object], tmp_path: Path
) -> None:
    source = tmp_path / ".env"
    source.write_text(text)
    objects = manifests(call("import", "env", source))
    assert route(objects, "claude-*")["targets"] == [{"model": model, **access}]
    for (kind, _), spec in objects.items():
        if kind == "ClaudeCredential" and "apiKey" in spec and spec["apiKey"]["provider"] == "azure":
            assert spec["apiKey"]["baseURL"] == "https://me.openai.azure.com"


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


def test_the_published_shapes_of_ccr() -> None:
    outcome = call("import", "ccr", DATA / "ccr-providers.json")
    objects = manifests(outcome)
    keys = {name: spec["key"] for (kind, name), spec in objects.items() if kind == "Secret"}
    assert keys == {"deepseek": "$DEEPSEEK_API_KEY", "silicon": "$SILICON_API_KEY", "cloud": "$AZURE_API_KEY"}
    assert route(objects, "cloud/gpt-4")["targets"] == [{"model": "azure/gpt-4", "credential": "cloud"}]
    assert objects["ClaudeCredential", "vertex"]["vertex"] == {"project": "my-project", "location": "europe-west4"}
    assert [rule["name"] for rule in route(objects, "*")["rules"]] == ["long-context"]
    for setting, said in (
        ("Providers[2].api_key", "need a key"),
        ("Providers[4].transformer", "another program's login"),
        ("Router.webSearch", "not a `provider,model`"),
        ("APIKEY", "there is none"),
        ("ModelMapping", "routes here"),
        ("Concurrency", "where they hold"),
        ("metadata", "describes the file"),
    ):
        assert said in note(outcome, setting)
    for silent in ("//", "PROXY_URL", "CUSTOM_ROUTER_PATH", " transformers", "that this import knows"):
        assert silent not in outcome.stderr


def test_a_preferred_provider_leaves_the_other_keys_their_names(tmp_path: Path) -> None:
    outcome = call("import", "env", DATA / "preferred.env")
    objects = manifests(outcome)
    assert route(objects, "claude-*")["targets"][0]["model"] == "openai/gpt-4.1"
    assert route(objects, "anthropic/*")["targets"] == [{"model": "anthropic/*", "credential": "anthropic"}]
    assert objects["Secret", "anthropic"] == {"key": "$ANTHROPIC_API_KEY"}
    assert "headers are not added" in note(outcome, "CUSTOM_HEADER_X_CLIENT_ID")
    source = tmp_path / ".env"
    source.write_text("ANTHROPIC_API_KEY=a-key-of-the-clients-0123\nOPENAI_API_KEY=sk-0\nBIG_MODEL=gpt-5\n")
    assert "anthropic/*" not in call("import", "env", source).stdout, "it is the key of the clients"


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
