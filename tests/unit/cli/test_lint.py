"""``lint`` and ``render`` on files: places, formats, exit codes, and no secret anywhere."""

import json
import os
import stat
from pathlib import Path

import pytest
from tests.support.builders import objects as builders
from tests.support.processes.command import call, write

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import unpack
from claude_gateway.names import GATEWAY_JSON, LITELLM_YAML, META_JSON

BAD = """\
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {name: bad}
spec:
  models: [bad]
  targets:
    - model: openai/x
      credential: nobody
"""
VARIABLES = """\
apiVersion: v1
kind: Secret
metadata: {name: keys, labels: {claudegateway.io/credential: "true"}}
stringData:
  client: $TEST_CLIENT_KEY
  api: ${TEST_API_KEY}
"""
KEYS = {"TEST_CLIENT_KEY": builders.CLIENT_KEY, "TEST_API_KEY": builders.API_KEY}
UNSET = dict.fromkeys(KEYS)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    write(tmp_path / "good.yaml", *builders.sound())
    return tmp_path


def test_sound_files_pass(good: Path) -> None:
    outcome = call("lint", "-f", good)
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "0 errors, 0 warnings; 1 route and 1 client would serve" in outcome.stderr


def test_a_mistake_has_its_place_and_what_to_do(good: Path) -> None:
    (good / "bad.yaml").write_text(BAD)
    outcome = call("lint", "-f", good)
    assert outcome.code == 1
    first, fix = outcome.stdout.splitlines()
    assert first.startswith(f"{good}/bad.yaml:8:7: error: ModelRoute default/bad: ")
    assert "[CredentialNotFound]" in first
    assert fix.startswith("  ")


def test_duplicates_are_errors_at_the_second_place(good: Path) -> None:
    write(good / "second.yaml", builders.client(name="alice", secret="other"))
    outcome = call("lint", "-f", good)
    assert outcome.code == 1
    assert f"{good}/second.yaml:" in outcome.stdout
    assert "[DuplicateObject]" in outcome.stdout
    first = (good / "good.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(first, 1) if text.strip() == "name: alice")
    assert f"that one is used ({good}/good.yaml:{line}:" in outcome.stdout


def test_a_conflict_names_the_place_of_the_other_object(good: Path) -> None:
    write(good / "second.yaml", builders.route("z"))
    write(good / "third.yaml", builders.client("bob"))
    outcome = call("lint", "-f", good)
    assert outcome.code == 1
    (taken,) = [line for line in outcome.stdout.splitlines() if "[ModelTaken]" in line]
    assert f" ({good}/good.yaml:" in taken
    (key,) = [line for line in outcome.stdout.splitlines() if "[KeyTaken]" in line]
    assert f" ({good}/good.yaml:" in key


def test_a_conflict_within_a_file_names_the_line(tmp_path: Path) -> None:
    write(tmp_path / "all.yaml", *builders.sound(), builders.route("second"))
    assert "which is older or comes first by name (line " in call("lint", "-f", tmp_path).stdout


def test_json_serves_like_yaml_and_that_of_another_program_is_a_warning(good: Path) -> None:
    (good / "more.json").write_text(json.dumps(builders.route("more", models=["more-*"])))
    (good / "package.json").write_text('{"name": "app", "version": "1.0.0"}')
    outcome = call("lint", "-f", good)
    assert outcome.code == 0
    assert f"{good}/package.json:1:1: warning: it has no `kind`" in outcome.stdout
    assert "2 routes and 1 client would serve" in outcome.stdout + outcome.stderr
    assert call("lint", "-f", good / "package.json").code == 1, "a file that is named is meant"
    (good / "wrong.json").write_text('{"apiVersion": "claudegateway.io/v1alpha1", "metadata": {"name": "x"}}')
    assert f"{good}/wrong.json:1:1: error: " in call("lint", "-f", good).stdout


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n---\n"])
def test_a_file_without_an_object_is_a_warning(good: Path, text: str) -> None:
    (good / "empty.yaml").write_text(text)
    outcome = call("lint", "-f", good)
    assert outcome.code == 0
    assert f"{good}/empty.yaml:1:1: warning: the file holds no object" in outcome.stdout


def test_what_is_no_file_among_files_is_a_warning(good: Path) -> None:
    (good / "loop.yaml").symlink_to(good / "loop.yaml")
    (good / "gone.yaml").symlink_to(good / "nowhere")
    os.mkfifo(good / "pipe.yaml")
    outcome = call("lint", "-f", good)
    assert outcome.code == 0
    for name in ("loop", "gone"):
        assert f"{good}/{name}.yaml:1:1: warning: the link leads nowhere" in outcome.stdout
    assert f"{good}/pipe.yaml:1:1: warning: it is not a regular file" in outcome.stdout


@pytest.mark.parametrize(
    ("written", "fix"), [("45", "Write `45s` for 45 seconds."), ('"45"', "Write `45s`"), ("x", ""), ("[45]", "")]
)
def test_a_duration_without_a_unit_says_what_to_write(good: Path, written: str, fix: str) -> None:
    text = BAD.replace("credential: nobody", "credential: anthropic\n  timeouts:\n    firstToken: " + written)
    (good / "bad.yaml").write_text(text)
    outcome = call("lint", "-f", good)
    assert "spec.timeouts.firstToken: " in outcome.stdout
    assert fix in outcome.stdout
    assert ("has no unit" in outcome.stdout) == bool(fix)


def test_json_is_a_list_for_tools(good: Path) -> None:
    (good / "bad.yaml").write_text(BAD)
    found = json.loads(call("lint", "-f", good, "--format", "json").stdout)
    assert found[0]["file"].endswith("bad.yaml")
    assert (found[0]["line"], found[0]["column"], found[0]["severity"]) == (8, 7, "error")
    assert found[0]["field"] == "spec.targets[0].credential"


def test_github_annotations_are_escaped(good: Path) -> None:
    (good / "a,b.yaml").write_text(BAD)
    line = call("lint", "-f", good, "--format", "github").stdout.splitlines()[0]
    assert line.startswith(
        f"::error file={good}/a%2Cb.yaml,line=8,col=7,title=CredentialNotFound::ModelRoute default/bad"
    )


def test_a_file_that_is_no_yaml_hides_no_other_mistake(good: Path) -> None:
    (good / "a.yaml").write_text("spec: [\n")
    (good / "bad.yaml").write_text(BAD)
    outcome = call("lint", "-f", good)
    assert outcome.code == 1
    assert "a.yaml:2:1: error: not valid YAML" in outcome.stdout
    assert "bad.yaml:8:7" in outcome.stdout


@pytest.fixture
def variables(tmp_path: Path) -> Path:
    write(tmp_path / "objects.yaml", builders.credential(), builders.client(), builders.route())
    (tmp_path / "secret.yaml").write_text(VARIABLES)
    return tmp_path


def test_variables_fill_secrets(variables: Path) -> None:
    assert call("lint", "-f", variables, environment=KEYS).code == 0


def test_an_unset_variable_is_one_mistake_and_no_cascade(variables: Path) -> None:
    outcome = call("lint", "-f", variables, environment={**KEYS, "TEST_API_KEY": None})
    assert outcome.code == 1
    first, fix = outcome.stdout.splitlines()
    assert (
        "secret.yaml:6:3: error: Secret default/keys: stringData.api: the environment variable TEST_API_KEY is not set"
        in first
    )
    assert "TEST_API_KEY=..." in fix


def test_an_unset_variable_may_be_allowed_and_other_mistakes_still_fail(variables: Path) -> None:
    outcome = call("lint", "-f", variables, "--allow-unset", environment=UNSET)
    assert outcome.code == 0
    assert "warning" in outcome.stdout
    (variables / "bad.yaml").write_text(BAD)
    assert call("lint", "-f", variables, "--allow-unset", environment=UNSET).code == 1


def test_an_env_file_fills_secrets(variables: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    assert call("lint", "-f", variables, "--env-file", file, environment=UNSET).code == 0


def test_targets_on_this_machine_can_be_refused(tmp_path: Path) -> None:
    local = builders.route(targets=[builders.target("openai/x", baseURL="http://127.0.0.1:1/v1")])
    write(tmp_path / "x.yaml", local)
    assert call("lint", "-f", tmp_path).code == 0
    outcome = call("lint", "-f", tmp_path, "--no-loopback")
    assert (outcome.code, "[AddressNotAllowed]" in outcome.stdout) == (1, True)


@pytest.mark.parametrize("url", ["https://10.1.2.3", "http://idp.corp.example.com"])
def test_an_issuer_in_a_private_network_can_be_allowed(tmp_path: Path, url: str) -> None:
    spec = {"jwt": [{"issuer": url, "audiences": ["claude-gateway"]}]}
    write(tmp_path / "x.yaml", builders.manifest("GatewayClient", "people", spec))
    outcome = call("lint", "-f", tmp_path)
    assert (outcome.code, "--allow-host" in outcome.stdout) == (1, True)
    assert call("lint", "-f", tmp_path, "--allow-host", url.partition("//")[2]).code == 0
    outcome = call("lint", "-f", tmp_path, "--allow-host", url)
    assert (outcome.code, "without a scheme" in outcome.stderr) == (2, True)


def test_a_folder_without_yaml_is_a_mistake(tmp_path: Path) -> None:
    outcome = call("lint", "-f", tmp_path)
    assert outcome.code == 1
    assert "no YAML or JSON files" in outcome.stderr


def test_usage_mistakes_are_2() -> None:
    assert call("lint").code == 2
    assert call("lint", "-f", "/nowhere/at/all").code == 2
    assert call("render", "-f", ".", "--with-secrets").code == 2


def test_rendering_is_deterministic_and_shows_no_secret(good: Path, tmp_path: Path) -> None:
    first, second = call("render", "-f", good), call("render", "-f", good)
    assert first == second
    assert first.code == 0
    for name in (GATEWAY_JSON, LITELLM_YAML, META_JSON):
        assert f"==> {name} <==" in first.stdout
    for value in (builders.API_KEY, builders.CLIENT_KEY):
        assert value not in first.stdout + first.stderr


def test_rendering_goes_on_beside_a_mistake_and_fails(good: Path) -> None:
    (good / "bad.yaml").write_text(BAD)
    outcome = call("render", "-f", good)
    assert outcome.code == 1
    assert "default/sonnet" in outcome.stdout
    assert "bad.yaml:8:7" in outcome.stderr


def test_rendered_files_are_what_is_printed(good: Path, tmp_path: Path) -> None:
    output = tmp_path / "build"
    call("render", "-f", good, "-o", output)
    printed = call("render", "-f", good).stdout
    assert sorted(path.name for path in output.iterdir()) == [GATEWAY_JSON, LITELLM_YAML, META_JSON]
    for path in output.iterdir():
        assert path.read_text().rstrip("\n") in printed


def test_a_whole_bundle_is_private_and_can_be_read_back(good: Path, tmp_path: Path) -> None:
    output = tmp_path / "bundle"
    assert call("render", "-f", good, "--with-secrets", "-o", output).code == 0
    revision = folder.current(output)
    assert revision is not None
    bundle = unpack(folder.read(output, revision))
    assert builders.API_KEY.encode() in bundle.secrets.values()
    modes = {
        stat.S_IMODE(path.stat().st_mode) for path in output.rglob("*") if path.is_file() and not path.is_symlink()
    }
    assert modes == {0o600}


def test_a_login_that_is_still_missing_is_a_warning_and_everything_else_is_checked(tmp_path: Path) -> None:
    """People sign in later and elsewhere; whom the route serves is in the files."""
    only = {"from": "Clients", "clients": ["alice"]}
    there = [builders.target("claude-code/*", "mine")]
    objects = [
        builders.subscription(method="Login"),
        builders.secret(),
        builders.client(owner="alice@example.com"),
        builders.route("mine", models=["sonnet"], targets=there, allowedClients=only),
    ]
    write(tmp_path / "mine.yaml", *objects)
    outcome = call("lint", "-f", tmp_path)
    assert outcome.code == 0
    assert "warning: ClaudeCredential default/mine" in outcome.stdout
    assert "[NotSignedIn]" in outcome.stdout
    assert "claude-gateway login mine" in outcome.stdout
    write(tmp_path / "mine.yaml", *objects[:-1], builders.route("mine", models=["sonnet"], targets=there))
    outcome = call("lint", "-f", tmp_path)
    assert outcome.code == 1
    assert "[SubscriptionShared]" in outcome.stdout


@pytest.mark.parametrize("command", ["lint", "render"])
def test_certificates_that_nobody_verifies_are_a_warning(good: Path, command: str) -> None:
    people = builders.manifest("GatewayClient", "people", {"certificates": [{"email": "alice@example.com"}]})
    write(good / "people.yaml", people)
    outcome = call(command, "-f", good)
    assert outcome.code == 0
    warned = f"{good}/people.yaml:8:3: warning: GatewayClient default/people: spec.certificates: nothing verifies"
    assert warned in outcome.stdout + outcome.stderr
    assert "--tls-client-ca" in outcome.stdout + outcome.stderr
    quiet = call(command, "-f", good, "--client-certificates")
    assert "warning:" not in quiet.stdout + quiet.stderr
    for name, value in (
        ("CLAUDE_GATEWAY_CLIENT_CERT_FORMAT", "xfcc"),
        ("CLAUDE_GATEWAY_TLS_CLIENT_CA_FILE", "ca.pem"),
    ):
        verified = call(command, "-f", good, environment={name: value})
        assert "warning:" not in verified.stdout + verified.stderr, name
