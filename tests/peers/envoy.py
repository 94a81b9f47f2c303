"""Envoy as a plain proxy: no authentication, no routing by model, no metering, no log."""

import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until

_PROGRAM: Final = Path(__file__).resolve().parents[2] / ".venv-envoy" / "bin" / "envoy"
NAME: Final = "Envoy 1.40"
"""The version in locks/envoy.in."""

_EXTENSIONS: Final = "type.googleapis.com/envoy.extensions.filters"


@contextmanager
def running(upstream: int) -> Iterator[tuple[Process, int]]:
    """Start Envoy with one worker thread in front of a port of this host; yields it and its own port."""
    if not _PROGRAM.exists():
        raise SystemExit("Envoy is missing: make setup-envoy")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        config = Path(folder) / "envoy.json"
        config.write_text(json.dumps(_config(port, upstream)))
        arguments = [
            "--config-path",
            str(config),
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "error",
        ]
        with Process([str(_PROGRAM), *arguments]) as process:

            def listening() -> bool:
                assert process.returncode is None, f"it ended with {process.returncode}:\n{process.output}"
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0

            until(listening, timeout=60, what=NAME)
            yield process, port


def _config(port: int, upstream: int) -> dict[str, Any]:
    forward = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}
    manager = {
        "@type": f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain",
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_EXTENSIONS}.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [forward]}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [_at(upstream, endpoint=True)]}],
        },
    }
    listener = {"name": "plain", **_at(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _at(port: int, *, endpoint: bool = False) -> dict[str, Any]:
    address = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
    return {"endpoint": address} if endpoint else address
