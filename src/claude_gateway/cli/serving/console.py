"""The output of ``serve``: its own messages, and its children's log lines in a readable form."""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from claude_gateway.cli.files import findings
from claude_gateway.cli.files.findings import Finding
from claude_gateway.cli.serving.children import GATEWAY
from claude_gateway.cli.terminal import printable

_LOUD: Final = frozenset({"warning", "error", "critical"})
_REQUEST: Final = "request"
# Fields of a child's line that every line has, or that the text form shows elsewhere.
_FIXED: Final = frozenset({"time", "level", "event", "logger", "process"})


class Console:
    """Standard output and error of ``serve``; ``json_lines`` makes every line a JSON object."""

    def __init__(self, *, json_lines: bool, everything: bool = False) -> None:
        self._json = json_lines
        self._everything = everything

    def say(self, text: str, *, event: str, **fields: object) -> None:
        """Print an informational message with the time; in JSON mode, an event with its fields."""
        if self._json:
            _put(_own("info", event, text, fields))
        else:
            _put(f"{_clock()} {text}")

    def block(self, text: str) -> None:
        """Print text that is omitted in JSON mode."""
        if not self._json:
            _put(text)

    def warn(self, text: str, *, event: str, **fields: object) -> None:
        """Print a warning on standard error; in JSON mode, an event with its fields."""
        if self._json:
            _put(_own("warning", event, text, fields))
        else:
            _put(f"{_clock()} {text}", error=True)

    def findings(self, found: Iterable[Finding]) -> None:
        """Print findings about the files."""
        for finding in found:
            if self._json:
                fields = {
                    "place": str(finding.place),
                    "object": finding.about,
                    "field": finding.field,
                    "reason": finding.reason,
                    "fix": finding.fix,
                }
                _put(_own(finding.severity.value, "problem", finding.message, fields))
            else:
                _put(findings.text(finding), error=True)

    def line(self, child: str, text: str) -> None:
        """Print one log line of a child, if it is of interest at this verbosity.

        The Claude Code backend's requests are those of the gateway once more.
        """
        line = _parsed(text)
        if self._json:
            _put(json.dumps({"process": child, **(line or {"event": "output", "text": text})}, ensure_ascii=False))
        elif line is None:
            _put(f"{_clock()} {child}: {printable(text)}", error=True)
        elif line.get("event") == _REQUEST and child == GATEWAY:
            _put(request(line))
        elif line.get("level") in _LOUD:
            _put(event(child, line), error=True)
        elif self._everything:
            _put(event(child, line))


def request(line: Mapping[str, Any]) -> str:
    """Format a request as one line, such as ``09:12:33 200 claude-x → default/claude (relay) alice 1.2 s …``."""
    route = f"{line.get('route')} ({line.get('lane')})" if line.get("lane") else str(line.get("route"))
    parts = [
        _time(line),
        str(line.get("status")),
        str(line.get("format")),
        f"{line.get('model') or '-'} → {route}",
        str(line.get("client")),
        _seconds(line.get("duration_ms")),
    ]
    if line.get("ttft_ms") is not None:
        parts.append(f"first byte {_seconds(line['ttft_ms'])}")
    read = sum(int(line.get(name) or 0) for name in ("input_tokens", "cache_read_tokens", "cache_creation_tokens"))
    if read or line.get("output_tokens"):
        parts.append(f"{read} → {line.get('output_tokens') or 0} tokens")
    if int(line.get("attempts") or 0) > 1:
        parts.append(f"{line['attempts']} attempts")
    if line.get("outcome") not in (None, "ok"):
        parts.append(str(line["outcome"]))
    if line.get("error"):
        parts.append(str(line["error"]))
    parts.extend(str(error) for error in line.get("upstream_errors") or ())
    return printable("  ".join(parts))


def event(child: str, line: Mapping[str, Any]) -> str:
    """Format any other event as one line, followed by the frames of an exception."""
    fields = " ".join(
        f"{name}={value}" for name, value in line.items() if name not in _FIXED and name != "at" and value != ""
    )
    head = printable(f"{_time(line)} {child}: {line.get('level')}: {line.get('event')} {fields}".rstrip())
    return "\n".join([head, *(f"  {printable(str(frame))}" for frame in line.get("at") or ())])


def _own(level: str, event: str, text: str, fields: Mapping[str, object]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": now, "level": level, "event": event, "process": "serve", "message": text, **fields}
    return json.dumps(line, default=str, ensure_ascii=False)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "event" in line else None


def _time(line: Mapping[str, Any]) -> str:
    try:
        return datetime.fromisoformat(str(line.get("time"))).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return _clock()


def _clock() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S")


def _seconds(milliseconds: object) -> str:
    if not isinstance(milliseconds, int | float):
        return "-"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _put(text: str, *, error: bool = False) -> None:
    try:
        print(text, file=sys.stderr if error else sys.stdout, flush=True)
    except (BrokenPipeError, ValueError):
        # The reader closed the pipe (`| head`); serving continues.
        return
