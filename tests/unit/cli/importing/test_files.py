"""What holds for every import: the output serves, no secret is printed, and bad input is explained."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.builders.imported import CCR, DATA, LITELLM
from tests.support.processes.command import call

WRITTEN = {
    "litellm.yaml": ("sk-written-in-the-file-0123456789",),
    "ccr.json": ("sk-or-written-in-the-file-01", "a-key-for-our-clients-0123"),
}


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


def test_names_of_a_file_cannot_control_the_terminal(tmp_path: Path) -> None:
    source = tmp_path / "config.yaml"
    source.write_text('model_list: [{model_name: a, litellm_params: {model: gpt-5, "x\\e[2J": 1}}]\n')
    outcome = call("import", "litellm", source)
    assert "\x1b" not in outcome.stderr
    assert "x\\x1b[2J" in outcome.stderr
