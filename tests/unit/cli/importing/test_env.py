"""``import env``: the variables of proxies that map big and small models."""

from pathlib import Path

import pytest
from tests.support.builders.imported import DATA, manifests, note, route
from tests.support.processes.command import call


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
