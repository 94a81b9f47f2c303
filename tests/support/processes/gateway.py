"""The whole data plane of one pod in a temporary folder: the real agent, gateway and LiteLLM processes.

What a test applies are manifests as users write them; they go through the real brain and the real bundle.
"""

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.request import urlopen

import yaml
from tests.support.builders import scan
from tests.support.processes.forked import started
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.report import PodReport
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.world import Settings

if TYPE_CHECKING:
    from tests.support.processes.child import Process

Manifest = Mapping[str, Any]

LOADED: float = 60.0
"""Seconds that a revision may take to be live: LiteLLM is imported when the first target needs it."""


def documents(text: str) -> list[Manifest]:
    """Read manifests from YAML text."""
    return [document for document in yaml.safe_load_all(text) if document is not None]


def secret(name: str, value: str) -> Manifest:
    """Return a Secret that its owner labelled for use, with the value under ``key``."""
    return {
        "apiVersion": "v1",
        "kind": Kind.SECRET.value,
        "metadata": {"name": name, "labels": {LABEL_CREDENTIAL: "true"}},
        "stringData": {"key": value},
    }


def client(name: str, key: str, *, models: Sequence[str] = ("*",)) -> list[Manifest]:
    """Return a GatewayClient and the Secret with its key."""
    spec = {"keys": [{"secretRef": {"name": f"{name}-key"}}], "models": list(models)}
    resource = {"apiVersion": API_VERSION, "kind": Kind.GATEWAY_CLIENT.value, "metadata": {"name": name}, "spec": spec}
    return [resource, secret(f"{name}-key", key)]


def bundle(manifests: Iterable[Manifest], *, claude_code: tuple[str, bytes] = ("", b"")) -> Bundle:
    """Decide on manifests, loopback addresses allowed. Raises AssertionError for any mistake in them.

    ``claude_code`` is the URL and the key of the Claude Code backend, where there is one.
    """
    url, key = claude_code
    settings = Settings(
        egress=Egress(loopback=True), forward_hosts=("127.0.0.1",), claude_code_url=url or None, claude_code_key=key
    )
    plan = decide(read(manifests, settings), datetime.now(UTC))
    wrong = [problem for problem in plan.problems if problem.severity is Severity.ERROR]
    assert not wrong, "\n".join(map(str, wrong))
    return plan.bundle


class System:
    """One pod's processes; a context manager.

    ``url`` is the gateway's address, ``key`` the key of the client ``tests`` that ``apply`` adds, ``environment`` is
    set for all three processes. ``claude_code`` is the URL and the key of the Claude Code backend.
    """

    def __init__(
        self, *, environment: Mapping[str, str] | None = None, claude_code: tuple[str, bytes] = ("", b"")
    ) -> None:
        # Not pytest's folder: the path of a Unix socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="cgw-"))
        self.key = f"cgw_{secrets.token_urlsafe(32)}"
        self.url = ""
        self._claude_code = claude_code
        self._agent_url = ""
        self._environment = environment
        self._settings = {
            "CLAUDE_GATEWAY_RUN_DIR": str(self.folder / "run"),
            "CLAUDE_GATEWAY_SOURCE_DIR": str(self.folder / "source"),
            "CLAUDE_GATEWAY_LISTEN": "127.0.0.1:0",
            "CLAUDE_GATEWAY_METRICS_LISTEN": "127.0.0.1:0",
        }
        self.processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        for name in ("run", "source"):
            (self.folder / name).mkdir(mode=0o700)
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self) -> None:
        for name in ("agent", "litellm", "gateway"):
            self.processes[name] = started(
                f"claude_gateway_proxy.{name}",
                settings=self._settings,
                environment=self._environment,
                log=self.folder / f"{name}.log",
            )
        self._agent_url = f"http://{self.processes['agent'].listening()}"
        self.url = f"http://{self.processes['gateway'].listening()}"

    def close(self) -> None:
        """End the processes and remove all that they wrote."""
        for name in ("gateway", "litellm", "agent"):
            if name in self.processes:
                self.processes[name].stop()
        shutil.rmtree(self.folder)

    def apply(self, *manifests: Manifest | str) -> str:
        """Make these manifests (or YAML texts), and the client ``tests``, the configuration, and wait until it is live.

        Returns the revision. Raises AssertionError for a wrong manifest, or if the revision does not become live.
        """
        wanted: list[Manifest] = client("tests", self.key)
        for manifest in manifests:
            wanted += documents(manifest) if isinstance(manifest, str) else [manifest]
        revision = folder.write(self.folder / "source", bundle(wanted, claude_code=self._claude_code))
        until(lambda: self._lives(revision), timeout=LOADED, what=f"revision {revision} to be live")
        return revision

    def report(self) -> PodReport:
        """Return what the agent reports."""
        with urlopen(f"{self._agent_url}/status", timeout=10) as answer:
            return PodReport.model_validate_json(answer.read())

    @property
    def metrics(self) -> str:
        """The pod's metrics as Prometheus reads them."""
        with urlopen(f"{self._agent_url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    @property
    def openai_url(self) -> str:
        """The base URL as OpenAI's SDK takes it."""
        return f"{self.url}/v1"

    @property
    def logs(self) -> str:
        """Everything that the processes printed."""
        return "".join(process.output for process in self.processes.values())

    def requests(self, *, count: int) -> list[dict[str, Any]]:
        """Wait until the gateway logged so many requests, and return those lines."""
        until(lambda: len(self._requests()) >= count, what=f"{count} request lines")
        return self._requests()

    def leaks(self, *values: str) -> list[str]:
        """Return where one of these secret values, or the client's key, stands in a log or in a public part."""
        places = [*self.folder.glob("*.log"), *self.folder.glob("*/**/config/*")]
        # The public part in both folders and three logs: a search in nothing would find nothing.
        assert len(places) >= 9, places
        return scan.leaks([self.key, *values], places)

    def _requests(self) -> list[dict[str, Any]]:
        return self.processes["gateway"].lines("request")

    def _lives(self, revision: str) -> bool:
        report = self.report()
        refused = [process for process in (report.gateway, report.litellm) if process and process.refused == revision]
        assert not refused, json.dumps([process.model_dump() for process in refused])
        for name, process in self.processes.items():
            assert process.returncode is None, f"{name} ended:\n{process.output}"
        return report.live == revision
