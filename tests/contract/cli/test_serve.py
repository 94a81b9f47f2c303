"""``serve`` from start to end: answers, edits, deaths of children, signals; and never a key in what it prints."""

import os
import shlex
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest
from tests.contract.gateway.test_tls import certify, ec_key
from tests.support.builders import objects as builders
from tests.support.builders.certificates import Authority, dns
from tests.support.processes.command import write
from tests.support.processes.serve import Starter, command
from tests.support.processes.waiting import until

from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

SECRETS = (builders.API_KEY, builders.CLIENT_KEY)


def test_it_answers_and_prints_one_line_per_request_and_no_key(start: Starter, upstream: Scripted) -> None:
    serve = start()
    answer = serve.ask()
    assert answer.status_code == 200
    assert answer.json()["type"] == "message"
    assert dict(upstream.last.headers)["x-api-key"] == digest(builders.API_KEY)
    line = serve.wait_for("request")
    assert (line["process"], line["client"], line["route"], line["status"]) == (
        "gateway",
        "default/alice",
        "default/sonnet",
        200,
    )
    assert serve.process.stop() == 0
    assert not [secret for secret in SECRETS if secret in serve.process.output]


def test_an_edit_is_live_and_a_mistake_changes_nothing(start: Starter, folder: Path) -> None:
    serve = start()
    assert serve.ask("renamed").status_code == 404
    write(folder / "route.yaml", builders.route(models=["renamed"]))
    live = serve.wait_for("config_live")
    assert live["revision"] != serve.wait_for("ready")["revision"]
    assert serve.ask("renamed").status_code == 200
    assert serve.ask().status_code == 404
    # A broken object goes on as it was, and a good one beside it is live.
    write(folder / "route.yaml", builders.route(models=["other"], nonsense=1))
    write(folder / "more.yaml", builders.route("more", models=["more"]))
    serve.wait_for("config_live", count=2)
    problem = serve.wait_for("problem")
    assert problem["place"].startswith(f"{folder}/route.yaml:")
    assert problem["fix"]
    assert serve.ask("renamed").status_code == 200
    assert serve.ask("more").status_code == 200
    (folder / "more.yaml").write_text("kind: [\n")
    until(lambda: "more.yaml" in str(serve.events("kept")), what="the file to be kept")
    assert serve.ask("more").status_code == 200


def test_an_edit_of_the_env_file_is_live(start: Starter, folder: Path, tmp_path: Path) -> None:
    values = {"api": builders.API_KEY, "client": "$TEST_CLIENT"}
    env_file = tmp_path / "env" / ".env"
    env_file.parent.mkdir()
    env_file.write_text("TEST_CLIENT=cgw_first-key-0123456789\n")
    base = folder / "base.yaml"
    write(folder / "secret.yaml", builders.secret(values=values))
    base.write_text("---".join(part for part in base.read_text().split("---") if "kind: Secret" not in part))
    serve = start("--env-file", str(env_file))
    assert serve.ask(key="cgw_first-key-0123456789").status_code == 200
    env_file.write_text("TEST_CLIENT=cgw_second-key-0123456789\n")
    serve.wait_for("config_live")
    assert serve.ask(key="cgw_first-key-0123456789").status_code == 401
    assert serve.ask(key="cgw_second-key-0123456789").status_code == 200


@pytest.mark.parametrize("module", ["gateway", "litellm", "agent"])
def test_a_child_that_dies_comes_back_where_it_was(start: Starter, module: str) -> None:
    serve = start()
    url = serve.url
    serve.processes()[f"claude_gateway_proxy.{module}"].kill()
    assert serve.wait_for("child_died")["child"] == module
    serve.wait_for("child_restarted")
    until(lambda: [line["process"] for line in serve.events("listening")].count(module) == 2, what="it to listen again")
    assert serve.url == url
    until(lambda: serve.ask().status_code == 200, what="an answer")
    write(serve.folder / "route.yaml", builders.route(models=["claude-sonnet-5-5", "new"]))
    serve.wait_for("config_live")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_signal_ends_everything_in_order(start: Starter, number: signal.Signals, code: int) -> None:
    serve = start()
    assert serve.ask().status_code == 200
    children = list(serve.processes().values())
    assert len(children) == 3
    assert len(list(serve.memory.iterdir())) == 1
    serve.process.send(number)
    assert serve.process.wait() == code
    assert not psutil.wait_procs(children, timeout=0)[1]
    assert list(serve.memory.iterdir()) == []
    stopped = [line["process"] for line in serve.process.lines("stopped")]
    assert stopped.index("gateway") < stopped.index("agent") < stopped.index("serve")


def test_a_stream_runs_to_its_end_after_the_signal(start: Starter) -> None:
    serve = start()
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 50,
        "stream": True,
        "messages": [{"role": "user", "content": "[[pace 0.2]] a b c"}],
    }
    headers = {"x-api-key": builders.CLIENT_KEY}
    with httpx.stream("POST", f"{serve.url}/v1/messages", json=body, headers=headers, timeout=60) as answer:
        chunks = answer.iter_raw()
        seen = next(chunks)
        serve.process.send(signal.SIGTERM)
        seen += b"".join(chunks)
    assert b"message_stop" in seen
    assert serve.process.wait() == 0


def test_a_second_signal_ends_what_still_runs(start: Starter) -> None:
    serve = start()
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 50,
        "stream": True,
        "messages": [{"role": "user", "content": "[[pace 60]] a b c"}],
    }
    headers = {"x-api-key": builders.CLIENT_KEY}
    with httpx.stream("POST", f"{serve.url}/v1/messages", json=body, headers=headers, timeout=60):
        children = list(serve.processes().values())
        serve.process.send(signal.SIGINT)
        serve.wait_for("stopping")
        serve.process.send(signal.SIGINT)
        assert serve.process.wait() == 130
    assert not psutil.wait_procs(children, timeout=0)[1]


def test_no_child_outlives_a_serve_that_is_killed(start: Starter) -> None:
    serve = start()
    assert serve.url
    children = list(serve.processes().values())
    serve.process.send(signal.SIGKILL)
    serve.process.wait()
    assert not psutil.wait_procs(children, timeout=30)[1]
    # What it left in memory goes with the next one.
    left = list(serve.memory.iterdir())
    assert len(left) == 1
    again = start()
    assert again.url
    assert left[0] not in list(serve.memory.iterdir())


def test_children_never_get_the_providers_keys_of_our_environment(start: Starter) -> None:
    serve = start(ANTHROPIC_API_KEY="sk-ant-of-the-shell", OPENAI_API_KEY="sk-of-the-shell")
    assert serve.url
    for child in serve.processes().values():
        assert "of-the-shell" not in str(child.environ())


def test_a_taken_port_is_said_at_once(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serve = start("--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        assert serve.process.wait() == 1
    assert f"is already in use by {psutil.Process().name()} (pid {os.getpid()})" in serve.process.output
    assert "--listen" in serve.process.output


def test_a_file_that_is_no_yaml_stops_the_start(start: Starter, folder: Path) -> None:
    (folder / "route.yaml").write_text("a: [\n")
    serve = start(text=True)
    assert serve.process.wait() == 1
    assert f"{folder}/route.yaml:2:1: error: not valid YAML" in serve.process.output


def test_the_start_up_lines_say_how_to_use_it(start: Starter, folder: Path) -> None:
    serve = start(text=True)
    output = until(lambda: serve.process.output if "ready:" in serve.process.output else "", timeout=60)
    assert "default/sonnet  claude-sonnet-5-5 → anthropic/claude-sonnet-5-5 at http://127.0.0.1:" in output
    assert "default/alice  all models" in output
    line = next(line.strip() for line in output.splitlines() if "-m claude_gateway.cli env" in line)
    shell = f'cd {shlex.quote(str(Path.cwd()))}\n{line}\nprintf "%s %s" "$ANTHROPIC_BASE_URL" "$ANTHROPIC_AUTH_TOKEN"'
    shown = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout.split()
    assert shown[1] == builders.CLIENT_KEY
    assert httpx.get(f"{shown[0]}/readyz").status_code == 200
    assert not [secret for secret in SECRETS if secret in output]


def test_without_a_client_it_says_how_to_make_one_and_takes_it_live(start: Starter, folder: Path) -> None:
    base = folder / "base.yaml"
    base.write_text("---".join(part for part in base.read_text().split("---") if "GatewayClient" not in part))
    serve = start(text=True)
    output = until(lambda: serve.process.output if "ready:" in serve.process.output else "", timeout=60)
    assert "NO CLIENT KEY: every request will be rejected" in output
    line = next(line.strip() for line in output.splitlines() if " key new " in line)
    made = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert "cgw_" not in made.stdout
    until(lambda: "config live: revision" in serve.process.output, timeout=60)
    assert "(1 route, 1 client) in" in serve.process.output


def test_doctor_passes_what_works_and_says_what_does_not(start: Starter, folder: Path, upstream: Scripted) -> None:
    broken = builders.route(
        "broken", models=["broken"], targets=[builders.target("anthropic/x", baseURL="http://127.0.0.1:9")]
    )
    write(folder / "pattern.yaml", builders.route("any", models=["x-*"], targets=[builders.target("anthropic/*")]))
    own = {"model": "anthropic/*", "forwardClientToken": True}
    write(folder / "own.yaml", builders.route("own", models=["own"], targets=[own]))
    serve = start()
    url = serve.url
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(serve.memory)}
    run = subprocess.run(
        command("doctor", "-f", folder, "--url", url), capture_output=True, text=True, check=False, env=environment
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for start_of_line in (
        "PASS  config: 3 routes, 1 client",
        "PASS  gateway: ready at 127.0.0.1:",
        "PASS  revision: ",
        "PASS  key: ",
        "SKIP  route default/any: no model name to test",
        "SKIP  route default/own: its targets use the client's own login",
        "PASS  route default/sonnet, prompt to claude-sonnet-5-5: ",
        "PASS  route default/sonnet, tool call to claude-sonnet-5-5: get_weather(",
    ):
        assert start_of_line in run.stdout, run.stdout
    write(folder / "broken.yaml", broken)
    serve.wait_for("config_live")
    run = subprocess.run(
        command("doctor", "-f", folder, "--url", url), capture_output=True, text=True, check=False, env=environment
    )
    assert run.returncode == 1
    assert "FAIL  route default/broken, prompt to broken: 502 " in run.stdout
    assert "; spec.targets[0]: refused (ConnectionRefusedError: " in run.stdout
    assert "Nothing listens there: " in run.stdout
    assert not [secret for secret in SECRETS if secret in run.stdout + run.stderr]


def test_doctor_does_without_the_variables_of_serve(start: Starter, folder: Path) -> None:
    values = {"api": "$TEST_API", "client": builders.CLIENT_KEY}
    base = folder / "base.yaml"
    base.write_text("---".join(part for part in base.read_text().split("---") if "kind: Secret" not in part))
    write(folder / "secret.yaml", builders.secret(values=values))
    serve = start(TEST_API=builders.API_KEY)
    run = subprocess.run(
        command("doctor", "-f", folder, "--url", serve.url),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(serve.memory)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "WARN  config: " in run.stdout
    assert "SKIP  revision: " in run.stdout
    assert "PASS  route default/sonnet, prompt to claude-sonnet-5-5: " in run.stdout


def test_it_serves_https_with_a_certificate(start: Starter, folder: Path, tmp_path: Path) -> None:
    certificate, key = certify(tmp_path, "127.0.0.1", ec_key())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    authority, authorities = Authority(), tmp_path / "ca.pem"
    authorities.write_bytes(authority.pem)
    write(
        folder / "people.yaml", builders.manifest("GatewayClient", "people", {"certificates": [{"dns": "a.example"}]})
    )
    files = ("--tls-cert", str(certificate), "--tls-key", str(key), "--tls-client-ca", str(authorities))
    serve = start(*files, "--tls-listen", f"127.0.0.1:{port}")
    assert serve.url.startswith("http://")
    assert httpx.get(f"https://127.0.0.1:{port}/readyz", verify=False).status_code == 200
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*authority.issue(dns("a.example")).files(tmp_path))
    assert httpx.get(f"https://127.0.0.1:{port}/v1/models", verify=context).status_code == 200
    assert "nothing verifies" not in serve.process.output


def test_it_warns_of_certificates_that_it_does_not_verify(start: Starter, folder: Path) -> None:
    people = builders.manifest("GatewayClient", "people", {"certificates": [{"dns": "a.example"}]})
    write(folder / "people.yaml", people)
    serve = start(text=True)
    output = until(lambda: serve.process.output if "ready:" in serve.process.output else "", timeout=60)
    assert "GatewayClient default/people: spec.certificates: nothing verifies client certificates" in output
    trusting = start(CLAUDE_GATEWAY_CLIENT_CERT_FORMAT="xfcc", CLAUDE_GATEWAY_CLIENT_CERT_NETWORKS="127.0.0.1/32")
    said = f"By=x;Hash={'0' * 64};DNS=a.example"
    assert httpx.get(f"{trusting.url}/v1/models", headers={"x-forwarded-client-cert": said}).status_code == 200
    assert "nothing verifies" not in trusting.process.output


def test_authorities_need_a_certificate(folder: Path) -> None:
    run = subprocess.run(
        command("serve", "-f", folder, "--tls-client-ca", folder / "base.yaml"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "--tls-client-ca needs --tls-cert and --tls-key" in run.stderr


def test_doctor_says_that_nothing_answers(folder: Path) -> None:
    run = subprocess.run(
        command("doctor", "-f", folder, "--url", "http://127.0.0.1:9"), capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "FAIL  gateway: nothing answers at 127.0.0.1:9: connection refused" in run.stdout


def test_the_real_claude_code_through_run(start: Starter, folder: Path, tmp_path: Path) -> None:
    serve = start()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ANTHROPIC_API_KEY": "sk-ant-of-the-shell"}
    arguments = (
        "run",
        "-f",
        folder,
        "--url",
        serve.url,
        "--",
        "claude",
        "--model",
        "claude-sonnet-5-5",
        "-p",
        "hello you",
    )
    run = subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "hello you" in run.stdout
    assert "removed from this program's environment: ANTHROPIC_API_KEY" in run.stderr
