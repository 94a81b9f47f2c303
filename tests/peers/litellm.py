"""The stock LiteLLM proxy (``litellm --config``) with the scripted model behind it, configured as its docs say."""

import json
import re
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from tests.peers.peer import Peer
from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.underway import KEY, Underway, scripted
from tests.support.processes.waiting import until

_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = _ROOT / ".clients" / "litellm-proxy" / "bin" / "litellm"
_LOCK: Final = _ROOT / "locks" / "litellm-proxy.txt"

BEDROCK_ID: Final = "us.anthropic.claude-opus-4-5-20251101-v1:0"
_ARGUMENTS: Final = (
    *("--bedrock-base", "/bedrock", "--bedrock-prefix", "/bedrock", "--key-header", "x-litellm-api-key"),
    *("--estimate-model", "", "--judged-model", "", "--denied-model", ""),
    # Its Vertex pass-through goes to Google's own address, whatever is configured: it cannot be asked here.
    *("--without", "vertex", "--without", "bridge", "--without", "sigv4"),
    # Without a database, and the Prisma client for it, it cannot tell keys apart; Google's sign-in is an extra package.
    *("--without", "unknown-key", "--vertex-model", ""),
)
_LOCAL: Final = ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS", "BLOG_POSTS", "POLICY_TEMPLATES", "AUTOROUTER_PRESETS")


@contextmanager
def running() -> Iterator[Underway]:
    """Start upstream and proxy."""
    if not _PROGRAM.exists():
        raise SystemExit("the stock LiteLLM proxy is missing: make .clients/litellm-proxy/.ready")
    with scripted() as upstream, started(_PROGRAM, _config(upstream)) as url:
        _warm_up(url)
        yield Underway(url, upstream)


@contextmanager
def started(program: Path, config: dict[str, Any]) -> Iterator[str]:
    """Start a LiteLLM proxy, with ``KEY`` as its key, and return its URL."""
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        port = free_port()
        settings = {f"LITELLM_LOCAL_{name}": "True" for name in _LOCAL}
        settings |= {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOG": "ERROR", "NO_DOCS": "True", "DISABLE_ADMIN_UI": "True"}
        arguments = [str(program), "--config", str(path), "--port", str(port), "--host", "127.0.0.1"]
        with Process(arguments, environment=settings) as process:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _ready(url, process), timeout=240, what="the LiteLLM proxy")
            yield url


def _config(upstream: str) -> dict[str, Any]:
    anthropic = {"model": "anthropic/claude-opus-4-5-20251101", "api_base": upstream, "api_key": "sk-conformance"}
    openai = {"api_base": f"{upstream}/v1", "api_key": "sk-conformance"}
    vllm = {"model": "hosted_vllm/scripted-gpt", **openai}
    gemini = {"model": "gemini/gemini-3-pro", "api_base": f"{upstream}/v1beta", "api_key": "sk-conformance"}
    bedrock = {
        "model": f"bedrock/{BEDROCK_ID}",
        "aws_region_name": "us-east-1",
        "aws_access_key_id": "AKIACONFORMANCE00000",
        "aws_secret_access_key": "conformance-secret-0000000000000000000000",
        "aws_bedrock_runtime_endpoint": upstream,
    }
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456"
    models: list[tuple[str, dict[str, Any]]] = [
        ("claude-opus-4-5", anthropic),
        ("gpt-5", vllm),
        ("gemini-3-pro", gemini),
        ("gpt-5-codex", {"model": "openai/responses/gpt-5-codex", **openai}),
        ("text-embedding-3-small", {"model": "openai/text-embedding-3-small", **openai}),
        ("claude-on-bedrock", bedrock),
        (BEDROCK_ID, bedrock),
        (arn, bedrock),
        ("claude-own-login", {"model": anthropic["model"], "api_base": upstream}),
    ]
    return {
        "model_list": [
            {"model_name": name, "litellm_params": parameters, "model_info": {"max_output_tokens": 8192}}
            for name, parameters in models
        ],
        # One deployment each: nothing to retry with, and no other check should suffer from one that failed.
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        "litellm_settings": {
            # What its documentation says for Claude Code with models that are not Claude.
            "drop_params": True,
            "modify_params": True,
            "model_group_settings": {"forward_client_headers_to_llm_api": ["claude-own-login"]},
        },
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }


def _version() -> str:
    """Return the version that is locked."""
    found = re.search(r"^litellm==(\S+)", _LOCK.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _warm_up(url: str) -> None:
    """Ask once: the first answers take seconds, which is not what the suite is about."""
    body = {"model": "claude-opus-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Say hello"}]}
    headers = {"content-type": "application/json", "x-api-key": KEY}
    asked = urllib.request.Request(f"{url}/v1/messages", data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        answer.read()


def _ready(url: str, process: Process) -> bool:
    assert process.returncode is None, f"it ended with {process.returncode}:\n{process.output}"
    try:
        with urllib.request.urlopen(f"{url}/health/readiness", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        time.sleep(0.2)
        return False


PEER: Final = Peer(f"LiteLLM proxy {_version()}", _ARGUMENTS, running)
