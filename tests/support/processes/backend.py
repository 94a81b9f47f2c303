"""The Claude Code backend with the genuine CLI, in front of an upstream of the test's own."""

import hashlib
import json
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import urlopen

import httpx
import psutil
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.names import HEADER_LOGIN

LOGIN: Final = "sk-ant-oat01-the-login-of-alice-for-tests"
OTHER_LOGIN: Final = "sk-ant-oat01-the-login-of-bob-for-tests"
CALLER_KEY: Final = "cgb_the-key-of-the-external-caller"
_MEMORY: Final = Path("/dev/shm")


class Backend:
    """The running backend; a context manager. Settings are given without their prefix (``pool_size=1``).

    ``key`` is the gateway's key; ``CALLER_KEY`` is the key of the external caller ``bobs-litellm``, whose login is
    ``OTHER_LOGIN``.
    """

    def __init__(self, upstream: str, *, environment: Mapping[str, str] | None = None, **settings: object) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cgb-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.key = f"cgb_{secrets.token_urlsafe(24)}"
        self.url = ""
        (self.folder / "key").write_text(self.key)
        digest = hashlib.sha256(CALLER_KEY.encode()).hexdigest()
        callers = {digest: {"name": "bobs-litellm", "login": OTHER_LOGIN}}
        (self.folder / "callers.json").write_text(json.dumps(callers))
        given = {
            "listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "run_dir": self.folder / "run",
            "backend_key_file": self.folder / "key",
            "callers_file": self.folder / "callers.json",
            "upstream_url": upstream,
            "pool_size": 1,
            **settings,
        }
        self._environment = {f"CLAUDE_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
        self._environment |= environment or {}

    def __enter__(self) -> Self:
        command = python("claude_gateway_claude_code")
        self.process = Process(command, environment=self._environment, log=self.folder / "backend.log")
        try:
            self.url = f"http://{self.process.listening()}"
        except BaseException:
            self.close()
            raise
        self._metrics = f"http://{self.process.lines('listening')[0]['metrics']}/metrics"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove what it wrote."""
        self.process.stop()
        shutil.rmtree(self.folder)

    def headers(self, login: str = LOGIN) -> dict[str, str]:
        """The headers with which the gateway asks for a login."""
        return {"x-api-key": self.key, HEADER_LOGIN: login, "anthropic-version": "2023-06-01"}

    def ask(self, *, login: str = LOGIN, path: str = "/v1/messages", **body: Any) -> httpx.Response:
        """Send one request, by default a short one for ``sonnet``; ``None`` leaves a field out."""
        asked = {"model": "sonnet", "max_tokens": 1000, "messages": [{"role": "user", "content": "hello"}], **body}
        wanted = {name: value for name, value in asked.items() if value is not None}
        return httpx.post(self.url + path, json=wanted, headers=self.headers(login), timeout=60)

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        with urlopen(self._metrics, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.split()[0] in (name, f"{name}_total"))

    def environments(self) -> list[dict[str, str]]:
        """The environments of the running processes of Claude Code, with ``cwd`` and ``argv``."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                found.append({**child.environ(), "cwd": child.cwd(), "argv": " ".join(child.cmdline())})
        return found

    def ready(self, count: int) -> None:
        """Wait until so many processes wait for a request."""
        until(lambda: self.metric("claude_gateway_claude_code_ready_processes") >= count, what="ready processes")
