"""The real LiteLLM worker as a child process in a temporary run directory, fed by bundles written by hand."""

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from tests.support.processes.forked import started
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.report import ProcessReport
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Target
from claude_gateway.names import HEADER_MODEL, HEADER_TARGET, LITELLM_SOCKET

KEY: Final = "sk-the-targets-own-key"
ENTRY: Final = secret_entry("target", KEY.encode())
LOOPBACK: Final = Egress(loopback=True)


def deployment(ident: str, model: str, *, api_base: str | None, secret: str | None = ENTRY) -> Target:
    """One target with the key ``KEY``, as the control plane renders it."""
    provider, _, name = model.partition("/")
    row = PROVIDERS[provider]
    return Target(
        id=ident,
        provider=provider,
        model=name,
        wire=row.wire,
        formats=row.formats,
        base_url=api_base,
        secret=secret,
        translation=row.translation,
    )


def bundle(*targets: Target, egress: Egress = LOOPBACK, secrets: Mapping[str, bytes] | None = None) -> Bundle:
    """A bundle with one route to these targets."""
    policy = Policy(routes=(Route(name="ns/route", models=("m",), targets=targets),), egress=egress)
    return Bundle(
        gateway=policy.model_dump_json(by_alias=True).encode(),
        litellm=b"",
        secrets={ENTRY: KEY.encode(), **(secrets or {})},
    )


class Worker:
    """A running worker; a context manager. ``environment`` is added to this process's own.

    ``forked``: it is forked also with an environment, which libraries then cannot read when they are imported.
    """

    def __init__(self, *, environment: Mapping[str, str] | None = None, forked: bool = False) -> None:
        # Not pytest's folder: the path of a Unix socket may have 107 bytes.
        self.run_dir = Path(tempfile.mkdtemp(prefix="cgw-worker-"))
        self.socket = self.run_dir / LITELLM_SOCKET
        self._environment = environment
        self._forked = forked
        self.http = httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://w", timeout=60)

    def __enter__(self) -> Self:
        self.process = started(
            "claude_gateway_proxy.litellm",
            settings={"CLAUDE_GATEWAY_RUN_DIR": str(self.run_dir)},
            environment=self._environment,
            forked=self._forked,
            log=self.run_dir / "worker.log",
        )
        self.process.listening()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()
        self.process.stop()
        shutil.rmtree(self.run_dir)

    def apply(self, wanted: Bundle) -> str:
        """Write a bundle, and wait until it is live. Returns its revision."""
        revision = self.offer(wanted)
        report = until(lambda: r if revision in ((r := self.status()).revision, r.refused) else None, what=revision)
        assert report is not None
        assert report.revision == revision, report.error
        return revision

    def offer(self, wanted: Bundle) -> str:
        """Write a bundle, whatever comes of it."""
        return folder.write(self.run_dir / "bundle", wanted)

    def status(self) -> ProcessReport:
        """What the worker reports."""
        return ProcessReport.model_validate_json(self.http.get("/status").content)

    def post(self, path: str, target: str, body: Any, *, model: str = "m") -> httpx.Response:
        """POST to an endpoint as the gateway does; ``body`` is JSON, or the bytes to send."""
        return self.http.post(path, headers=headers(target, model), content=encoded(body))

    @contextmanager
    def stream(self, path: str, target: str, body: Any, *, model: str = "m") -> Iterator[httpx.Response]:
        """POST, and read the answer while it comes."""
        with self.http.stream("POST", path, headers=headers(target, model), content=encoded(body)) as response:
            yield response

    @contextmanager
    def ask_and_leave(self, path: str, target: str, body: Any) -> Iterator[None]:
        """POST, and close the connection at the end of the context without having read anything."""
        content = encoded(body)
        fields = {**headers(target, "m"), "host": "w", "content-length": str(len(content))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
            yield


def headers(target: str, model: str) -> dict[str, str]:
    """What the gateway sends next to a body."""
    return {HEADER_TARGET: target, HEADER_MODEL: model, "content-type": "application/json"}


def encoded(body: Any) -> bytes:
    """A body as bytes."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def events(text: str) -> list[tuple[str | None, Any]]:
    """The events of a stream as pairs of name and data; ``[DONE]`` stays text."""
    found: list[tuple[str | None, Any]] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return found
