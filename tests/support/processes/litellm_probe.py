"""Asks the real LiteLLM, in a process of its own: what it knows, where it sends a key, whether it takes a config.

``python -m tests.support.processes.litellm_probe providers <name> ...`` or ``config <file>``; prints JSON. No name is
ever resolved: what LiteLLM would have contacted besides loopback is reported instead.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

KEY = "sk-probe-0123456789abcdef"
EMBEDDERS = ("infinity", "jina_ai", "voyage")
CHAT = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Upstream:
    """An upstream on loopback that answers anything and tells whether the key came."""

    def __init__(self) -> None:
        self.keys: list[bool] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        keys = self.keys

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                keys.append(KEY in str(self.headers))
                answer = json.dumps(CHAT).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST  # noqa: N815 - the base class's way

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        return Handler


def only_loopback() -> set[str]:
    """Resolve nothing but loopback from now on; the set collects what was asked for."""
    resolve = socket.getaddrinfo
    asked: set[str] = set()

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != "127.0.0.1":
            asked.add(str(name))
            raise socket.gaierror(socket.EAI_NONAME, "not resolved here")
        return resolve(host, *args, **kwargs)

    socket.getaddrinfo = guarded
    return asked


async def providers(names: list[str]) -> dict[str, Any]:
    """Every provider that LiteLLM knows, and for each name where its key went, with a base URL and without."""
    asked = only_loopback()
    upstream = Upstream()
    base_url = f"http://127.0.0.1:{upstream.server.server_port}/v1"
    import litellm
    from litellm.llms.openai_like.json_loader import JSONProviderRegistry

    litellm.suppress_debug_info = True
    known = {str(getattr(name, "value", name)) for name in litellm.provider_list}
    result: dict[str, Any] = {"known": sorted(known | set(JSONProviderRegistry.list_providers())), "sent": {}}
    for name in names:
        asked.clear()
        upstream.keys.clear()
        await _call(litellm, name, base_url)
        with_address = {"arrived": any(upstream.keys), "elsewhere": sorted(asked)}
        asked.clear()
        await _call(litellm, name, None)
        result["sent"][name] = {**with_address, "without_address": sorted(asked)}
    return result


async def _call(litellm: Any, provider: str, base_url: str | None) -> None:
    options = {"api_key": KEY, "api_base": base_url, "timeout": 5, "max_retries": 0, "num_retries": 0}
    try:
        if provider in EMBEDDERS:
            await litellm.aembedding(model=f"{provider}/some-model", input=["hi"], **options)
        else:
            messages = [{"role": "user", "content": "hi"}]
            await litellm.acompletion(model=f"{provider}/some-model", messages=messages, **options)
    except Exception as error:
        logging.getLogger(__name__).debug("%s: %s", provider, type(error).__name__)


def config(path: Path) -> dict[str, Any]:
    """What LiteLLM's own router makes of a config file."""
    only_loopback()
    from litellm.router import Router

    document = yaml.safe_load(path.read_text())
    router = Router(
        model_list=document["model_list"], model_group_alias=document["router_settings"]["model_group_alias"]
    )
    return {
        "ids": sorted(router.get_model_ids()),
        "names": sorted(router.get_model_names()),
        "models": [deployment["litellm_params"]["model"] for deployment in router.get_model_list() or []],
    }


def main() -> None:
    """Answer one question as JSON, on a line of its own: LiteLLM prints too."""
    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="CRITICAL")
    question, *rest = sys.argv[1:]
    answer = asyncio.run(providers(rest)) if question == "providers" else config(Path(rest[0]))
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    # LiteLLM leaves clients open, whose complaints at exit say nothing about the question.
    os._exit(0)


if __name__ == "__main__":
    main()
