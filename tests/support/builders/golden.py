"""Golden translations of the corpus: what upstreams of other formats receive, and what the client gets back.

``python -m tests.support.builders.golden`` rewrites ``tests/data/golden``, with the real worker and scripted upstreams;
read the difference before it is committed: every line that goes is something a model no longer learns.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
from tests.support.builders import bundles
from tests.support.builders.corpus import recordings
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.worker import ENTRY, KEY, Worker, bundle, deployment, events

from claude_gateway.contract.route import Route
from claude_gateway_scripted.local import Scripted

FOLDER: Final = Path(__file__).parents[2] / "data" / "golden"
VERSIONS: Final = ("2.1.330",)
SCENARIOS: Final = (
    *("classifier", "conversation", "image", "image-read", "no-betas", "prompt", "sonnet-45", "structured"),
    *("tool", "tool-failure", "tool-search", "tools-parallel", "unknown-parts", "web-search"),
)
TARGETS: Final = {
    "chat": ("hosted_vllm/scripted", "/v1"),
    "responses": ("openai/gpt-5-codex", "/v1"),
    "gemini": ("gemini/gemini-3-pro-preview", "/v1beta"),
}
BY_CODEC: Final = ("chat", "responses")
"""The formats that the gateway itself translates to, by default."""

Post = Callable[[str, bytes], httpx.Response]
"""Sends a request of Messages for a format of ``TARGETS``."""

_IDENT: Final = re.compile(r"\b(msg|toolu|call|rs|fc|resp)_(?:[0-9a-f]{32}|[0-9a-f]{28}|[0-9a-f]{24})(__thought__\w+)?")
_THOUGHT: Final = re.compile(r'(thoughtSignature": ")[^"]*')
_SIGNATURE: Final = re.compile(r"cgw1\.[\w+/=]+")


TOOLS: Final = "tools"
"""The file per format with every tool's translation; the others only name them."""


def wanted() -> dict[str, list[bytes]]:
    """The bodies of every scenario's requests for Messages, in their order."""
    found: dict[str, list[bytes]] = {}
    for recording in recordings():
        wanted_one = recording.version in VERSIONS and recording.scenario in SCENARIOS
        if wanted_one and recording.target.partition("?")[0] == "/v1/messages":
            found.setdefault(recording.scenario, []).append(recording.body)
    return found


@contextmanager
def upstreams() -> Iterator[tuple[Scripted, Post]]:
    """The scripted upstream, and a worker with a target of each format there."""
    with Scripted() as upstream, Worker() as worker:
        targets = (deployment(kind, model, api_base=f"{upstream.url}{path}") for kind, (model, path) in TARGETS.items())
        worker.apply(bundle(*targets))
        yield upstream, lambda kind, body: worker.post("/v1/messages", kind, body)


@contextmanager
def codec() -> Iterator[tuple[Scripted, Post]]:
    """The scripted upstream, and a gateway that reaches it by the codec."""
    with Scripted() as upstream:
        routes = [
            Route(
                name=f"ns/{kind}", models=(kind,), targets=(deployment(kind, model, api_base=f"{upstream.url}{path}"),)
            )
            for kind, (model, path) in TARGETS.items()
            if kind in BY_CODEC
        ]
        secrets = {ENTRY: KEY.encode()}
        with LoneGateway(bundles.bundle(routes, keys={"cgw_golden": "ns/dev"}, secrets=secrets)) as gateway:

            def post(kind: str, body: bytes) -> httpx.Response:
                named = json.dumps({**json.loads(body), "model": kind})
                headers = {"authorization": "Bearer cgw_golden", "content-type": "application/json"}
                return httpx.post(f"http://{gateway.address}/v1/messages", content=named, headers=headers, timeout=60)

            yield upstream, post


def translated(kind: str, upstream: Scripted, post: Post) -> dict[str, str]:
    """Every file's text for one format, by the file's name."""
    tools: dict[str, Any] = {}
    files = {
        f"{scenario}.{kind}.json": _text([_exchange(kind, body, upstream, post, tools) for body in bodies])
        for scenario, bodies in wanted().items()
    }
    return {**files, f"{TOOLS}.{kind}.json": _text(dict(sorted(tools.items())))}


def _exchange(kind: str, body: bytes, upstream: Scripted, post: Post, tools: dict[str, Any]) -> dict[str, Any]:
    upstream.forget()
    answer = post(kind, body)
    answer.raise_for_status()
    (request,) = upstream.requests
    sent = request.json
    offered = sent.get("tools") or []
    if kind == "gemini":
        offered = offered[0]["function_declarations"] if offered else []
    names = [_entered(tools, tool.get("name") or tool["function"]["name"], tool) for tool in offered]
    got = _brief(events(answer.text)) if json.loads(body).get("stream") else answer.json()
    return {"path": request.path, "sent": {**sent, **({"tools": names} if names else {})}, "got": got}


def _entered(tools: dict[str, Any], name: str, tool: Any) -> str:
    """The tool's entry: its name, numbered where the CLI describes it in another way elsewhere."""
    entries = (name if number == 1 else f"{name} ({number})" for number in count(1))
    return next(entry for entry in entries if tools.setdefault(entry, tool) == tool)


def _brief(found: list[tuple[str | None, Any]]) -> list[str]:
    """Events a line each."""
    return [json.dumps(data, ensure_ascii=False) for _, data in found]


def _text(value: Any) -> str:
    """A value as text, its random ids numbered in their order, and our signatures left out."""
    known: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return known.setdefault(match[0], f"{match[1]}_{len(known) + 1}{'__thought__' if match[2] else ''}")

    text = json.dumps(value, indent=1, ensure_ascii=False)
    return _THOUGHT.sub(r"\1", _SIGNATURE.sub("cgw1.", _IDENT.sub(number, text))) + "\n"


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    with upstreams() as (upstream, post):
        texts = {name: text for kind in TARGETS for name, text in translated(kind, upstream, post).items()}
    for name, text in texts.items():
        (FOLDER / name).write_text(text)
    for stale in {path.name for path in FOLDER.glob("*.json")} - texts.keys():
        (FOLDER / stale).unlink()


if __name__ == "__main__":
    main()
