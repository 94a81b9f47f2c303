"""Gateways with the scripted model behind them, as the conformance suite is pointed at them."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from tests.support.processes.child import Process, python
from tests.support.processes.command import call
from tests.support.processes.serve import LONG, command
from tests.support.processes.waiting import until

KEY: Final = "cgw_conformance-suite-0123456789abcdef"
PINGS: Final = 1.0
"""Seconds of silence after which our gateway pings in these runs, so that they need not last."""
SILENCE: Final = 4.0


@dataclass(frozen=True, slots=True)
class Underway:
    """A running gateway and the control face of its upstream."""

    url: str
    upstream: str

    def run(self, *arguments: str | Path, key: str = KEY) -> subprocess.CompletedProcess[str]:
        """Run the suite against it in a process of its own; the key goes by a file."""
        with tempfile.NamedTemporaryFile("w", suffix=".key") as file:
            file.write(key)
            file.flush()
            given = ["--url", self.url, "--upstream", self.upstream, "--key-file", file.name]
            return subprocess.run(
                command("conformance", *given, *arguments), capture_output=True, text=True, check=False
            )


@contextmanager
def scripted() -> Iterator[str]:
    """The scripted model as a process of its own; returns its address."""
    with Process(python("claude_gateway_scripted", "--listen", "127.0.0.1:0")) as upstream:
        yield f"http://{upstream.listening()}"


@contextmanager
def ours(*, settings: Sequence[str] = (), via: str | None = None) -> Iterator[Underway]:
    """``claude-gateway serve`` with the configuration that the suite prints; ``settings`` are options of the suite.

    ``via`` is written into every target: which lane translates what the target does not speak itself.
    """
    with ExitStack() as stack:
        upstream = stack.enter_context(scripted())
        # Short: Unix sockets are inside.
        memory = Path(tempfile.mkdtemp(prefix="cnf-", dir="/tmp"))
        stack.callback(shutil.rmtree, memory)
        home = memory / "gateway"
        home.mkdir()
        printed = call("conformance", "--print-config", "--upstream", upstream, *settings)
        assert printed.code == 0, printed.stderr
        (home / "conformance.yaml").write_text(printed.stdout if via is None else _through(via, printed.stdout))
        environment = {
            "XDG_RUNTIME_DIR": str(memory),
            "CLAUDE_GATEWAY_KEY": KEY,
            "CLAUDE_GATEWAY_PING_SECONDS": str(PINGS),
        }
        arguments = ["-f", str(home), "--listen", "127.0.0.1:0", "--log-format", "json", "--forward-to", "127.0.0.1"]
        serve = stack.enter_context(Process(python("claude_gateway.cli", "serve", *arguments), environment=environment))

        def ready() -> list[dict[str, str]]:
            assert serve.returncode is None, f"serve ended with {serve.returncode}:\n{serve.output}"
            return serve.lines("ready")

        yield Underway(until(ready, timeout=LONG, what="serve to be ready")[0]["gateway"], upstream)


def _through(via: str, manifests: str) -> str:
    objects = list(yaml.safe_load_all(manifests))
    for each in objects:
        for target in each.get("spec", {}).get("targets", ()):
            target["via"] = via
    return str(yaml.safe_dump_all(objects))
