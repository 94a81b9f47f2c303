"""``import ccr``: the configuration of claude-code-router."""

import pytest
from tests.support.builders.imported import CCR, DATA, manifests, note, route
from tests.support.processes.command import Outcome, call

from claude_gateway.cli.importing import yamlfile


@pytest.fixture
def ccr() -> Outcome:
    return call("import", "ccr", DATA / "ccr.json", environment=CCR)


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
