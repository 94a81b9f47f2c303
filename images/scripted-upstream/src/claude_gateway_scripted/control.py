"""The control endpoints under ``/__``, with which a test in another process drives the server."""

import json
from typing import Any, Protocol

from aiohttp import web

from claude_gateway_scripted.formats import encode
from claude_gateway_scripted.journal import Journal
from claude_gateway_scripted.script import Config, Script, ScriptError, Step


class Controlled(Protocol):
    """What the control endpoints read and change: a server with its script, journal and settings."""

    script: Script
    journal: Journal
    config: Config
    streams: int

    def configure(self, config: Config) -> None:
        """Use other settings from the next request on."""


def handle(server: Controlled, method: str, path: str, body: bytes) -> web.Response:
    """Serve ``/__log`` (GET, DELETE), ``/__script`` and ``/__config`` (POST changes, GET shows), ``/__state``."""
    try:
        match method, path:
            case "GET", "/__log":
                return _json([entry.as_json() for entry in server.journal.requests()])
            case "DELETE", "/__log":
                server.journal.clear()
                server.script.replace([])
            case "POST", "/__script":
                steps = [Step.parse(step) for step in _loads(body)["steps"]]
                server.script.replace(steps)
            case "POST", "/__config":
                server.configure(server.config.with_changes(_loads(body)))
            case "GET", "/__state" | "/__script" | "/__config":
                pass
            case _:
                return _json({"error": f"no {method} {path}"}, status=404)
    except (ScriptError, ValueError, TypeError, KeyError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, status=400)
    return _json(
        {"pending": len(server.script), "open_streams": server.streams, "requests": len(server.journal.requests())}
    )


def _loads(body: bytes) -> dict[str, Any]:
    data = json.loads(body)
    if not isinstance(data, dict):
        raise ScriptError("an object is expected")
    return data


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=encode(value), status=status, headers={"content-type": "application/json"})
