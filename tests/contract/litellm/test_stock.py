"""A stock LiteLLM proxy runs the ``litellm.yaml`` that we render, and answers through it."""

import json
import re
import secrets
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.support.builders.objects import credential, route, secret, target
from tests.support.processes import gateway
from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until

from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

LITELLM = Path(__file__).parents[3] / ".venv-peer" / "bin" / "litellm"
START = 90.0
"""Seconds that LiteLLM's proxy server may take to start on a busy machine."""


def _ask(port: int, path: str, body: dict[str, object] | None = None, *, key: str = "") -> bytes:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers)
    with urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def _ready(port: int) -> bool:
    try:
        return bool(_ask(port, "/health/readiness"))
    except (URLError, OSError):
        return False


def test_stock_litellm_runs_our_config(tmp_path: Path) -> None:
    assert LITELLM.exists(), "there is no stock LiteLLM to test with: run `make setup-peer`"
    with Scripted() as upstream:
        rendered = gateway.bundle(
            [
                secret(),
                credential("openai", provider="openai", baseURL=upstream.openai_url),
                route(models=["smart"], targets=[target("openai/some-model", credential="openai")]),
            ]
        )
        config = tmp_path / "litellm.yaml"
        config.write_bytes(rendered.litellm)
        (variable,) = re.findall(r"os\.environ/(\w+)", config.read_text())
        (key,) = (value.decode() for name, value in rendered.secrets.items() if name in config.read_text())
        port = free_port()
        arguments = [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        master = f"sk-{secrets.token_hex(32)}"
        quiet = {
            "LITELLM_MASTER_KEY": master,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "HOME": str(tmp_path),
        }
        with Process(arguments, environment={**quiet, variable: key}) as proxy:
            until(lambda: _ready(port) or proxy.returncode is not None, timeout=START, what="LiteLLM's proxy server")
            assert proxy.returncode is None, proxy.output
            listed = {model["id"] for model in json.loads(_ask(port, "/v1/models", key=master))["data"]}
            assert {"smart", "default/sonnet"} & listed
            body: dict[str, object] = {"model": "smart", "messages": [{"role": "user", "content": "hello"}]}
            answer = json.loads(_ask(port, "/v1/chat/completions", body, key=master))
            assert answer["choices"][0]["message"]["content"] == "echo: hello"
            assert upstream.last.json["model"] == "some-model"
            assert upstream.last.credential == digest(key)
