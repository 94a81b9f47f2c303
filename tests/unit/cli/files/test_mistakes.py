"""Common mistakes in files are named, at their line, and never with a secret."""

import base64
from pathlib import Path

import pytest
from tests.support.builders import objects as builders
from tests.support.processes.command import call, write

from claude_gateway.cli.files import mistakes
from claude_gateway.names import Kind

HEAD = "apiVersion: claudegateway.io/v1alpha1\nkind: ModelRoute\nmetadata: {name: r}\nspec:\n"
KEY = "sk-ant-0123456789abcdef"


def twice(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@pytest.mark.parametrize(
    ("text", "line", "words", "fix"),
    [
        (f"{HEAD}\tmodels: [m]\n", 5, "indented with a tab", "spaces"),
        (f"{HEAD}  models: [*]\n", 5, "`*` without quotes", '"*"'),
        (f"{HEAD}  models:\n    - *\n", 6, "`*` without quotes", '"*"'),
        (f"{HEAD}  models: {{{{ .Values.models }}}}\n", 5, "template", "helm template"),
        (f"{HEAD}  models:\n  -\tname: m\n    x: y\n", 6, "indented with a tab", "spaces"),
        (f"{HEAD}  models: [claude-*, *-mini]\n", 5, "`*` without quotes", '"*-mini"'),
        (f"{HEAD}  models:\n    - *-mini\n", 6, "`*` without quotes", '"*-mini"'),
        (f"{HEAD}  models: [m]\n  {{{{- toYaml .Values.more | nindent 2 }}}}\n", 7, "template", "helm template"),
        (f"{HEAD}  models: [m]\n{{% if x %}}\n", 6, "template", "helm template"),
        (f"{HEAD}  models: [m]\n<<<<<<< HEAD\n", 7, "merge conflict", "Resolve"),
        (f"{HEAD}\u00a0\u00a0models: [m]\n  targets: []\n", 6, "no-break space", "spaces"),
        ("model_list:\n- model_name: m\n", 1, "config.yaml of LiteLLM's proxy", "import litellm"),
        ("router_settings: {num_retries: 1}\n", 1, "config.yaml of LiteLLM's proxy", "import litellm"),
        ("Providers: []\nRouter: {default: a}\n", 1, "config.json of claude-code-router", "import ccr"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str, line: int, words: str, fix: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    outcome = call("lint", "-f", tmp_path)
    assert outcome.code == 1
    first, second = outcome.stdout.splitlines()[:2]
    assert first.startswith(f"{tmp_path}/a.yaml:{line}:")
    assert words in first
    assert fix in second


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("stringData", "os.environ/ANTHROPIC_API_KEY", "reference to LiteLLM's"),
        ("stringData", "$anthropic-key", "names no variable"),
        ("stringData", twice(KEY), "base64 of a key"),
        ("data", twice(twice(KEY)), "base64 of a key"),
        ("stringData", twice(KEY + "?>?~").replace("+", "-").replace("/", "_").rstrip("="), "base64 of a key"),
        ("stringData", f"{twice(KEY)[:8]}\n{twice(KEY)[8:]}\n", "base64 of a key"),
        ("stringData", " os.environ/KEY", "reference to LiteLLM's"),
        ("stringData", "%OPENAI_API_KEY%", "variable of another program"),
        ("stringData", "{{ .Values.key }}", "variable of another program"),
        ("stringData", f"Bearer {KEY}", "`Bearer`"),
        ("stringData", f'"{KEY}"', "quotes of its own"),
        ("stringData", "sk-...", "placeholder"),
        ("stringData", "YOUR_API_KEY", "placeholder"),
        ("stringData", "sk-your-openai-key-here", "placeholder"),
        ("stringData", "<key>", "placeholder"),
        ("data", twice("changeme"), "placeholder"),
    ],
)
def test_a_value_that_is_no_key(tmp_path: Path, part: str, value: str, words: str) -> None:
    secret = {**builders.secret(), part: {"key": value}}
    if part == "data":
        del secret["stringData"]
    write(tmp_path / "a.yaml", secret)
    shown = call("lint", "-f", tmp_path).stdout
    assert f"Secret default/{secret['metadata']['name']}: {part}.key: " in shown
    assert words in shown
    assert KEY not in shown
    assert value not in shown


@pytest.mark.parametrize("value", [KEY, "$NAME", "${NAME}", "cGxhaW4gd29yZHM=", "not base64!", "a: {{ x }}\nb: 1\n"])
def test_a_value_that_may_be_a_key(tmp_path: Path, value: str) -> None:
    write(tmp_path / "a.yaml", {**builders.secret(), "stringData": {"key": value}})
    assert "[SecretValueInvalid]" not in call("lint", "-f", tmp_path, environment={"NAME": KEY}).stdout


def test_what_looks_like_a_file_but_is_not_read_is_warned_of(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", *builders.sound())
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "LOUD.YAML").write_text("")
    outcome = call("lint", "-f", tmp_path)
    assert outcome.code == 0
    assert "gone.yaml:1:1: warning: the link leads nowhere" in outcome.stdout
    assert "LOUD.YAML:1:1: warning: the ending .YAML is not in lower case" in outcome.stdout
    assert "0 errors, 2 warnings; 1 route" in outcome.stderr


def test_the_nearest_credential_is_suggested(tmp_path: Path) -> None:
    route = builders.route(targets=[builders.target(credential="antrhopic")])
    write(tmp_path / "a.yaml", builders.secret(), builders.credential(), route)
    outcome = call("lint", "-f", tmp_path)
    assert "spec.targets[0].credential: " in outcome.stdout
    assert "Did you mean `anthropic`?" in outcome.stdout
    assert "0 routes and 0 clients would serve" in outcome.stderr


def test_clients_are_listed_without_keys(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", *builders.sound())
    outcome = call("key", "list", "-f", tmp_path)
    assert outcome.stdout == f"default/alice  1 key  *  {tmp_path}/a.yaml:{_line(tmp_path)}:1\n"
    assert builders.CLIENT_KEY not in outcome.stdout


def _line(folder: Path) -> int:
    lines = (folder / "a.yaml").read_text().splitlines()
    kind = lines.index(f"kind: {Kind.GATEWAY_CLIENT.value}")
    return next(number for number in range(kind, -1, -1) if number == 0 or lines[number - 1] == "---") + 1


def test_a_key_in_a_file_that_is_not_read_is_warned_of(tmp_path: Path) -> None:
    outcome = call("key", "new", "alice", "-o", tmp_path / "alice.txt")
    assert outcome.code == 0
    assert "only files that end in .yaml or .yml" in outcome.stderr
    assert call("key", "new", "alice", "--namespace", "Bad_NS").code == 2


def test_status_without_a_gateway_shows_the_objects(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", *builders.sound())
    outcome = call("status", "-f", tmp_path, "--url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "nothing answers at http://127.0.0.1:9" in outcome.stdout
    assert "ok  ModelRoute default/sonnet" in outcome.stdout


def test_models_need_a_gateway(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", *builders.sound())
    outcome = call("models", "-f", tmp_path, "--url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "no gateway answers" in outcome.stderr


@pytest.mark.parametrize(
    "secret",
    [
        "cgw_0123456789abcdef",
        "sk-ant-api03-0123456789",
        "hvs.CAESIJ0123456789",
        f"eyJhbGciOi.{'x' * 9000}.sig",
        "AIza01234567",
    ],
)
def test_what_others_say_is_shown_without_keys(secret: str) -> None:
    said = mistakes.without_keys(f"the key '{secret}' of task-something-long was refused")
    assert said == "the key '***' of task-something-long was refused"
