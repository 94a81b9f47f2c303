"""Records the corpus: ``python -m tests.support.clients.record`` drives both pinned CLIs against the scripted upstream.

What differs from run to run or from machine to machine is replaced, so that a new recording shows what the CLI changed.
"""

import hashlib
import itertools
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.builders.corpus import FOLDER, TOOLS, compact
from tests.support.clients import cli, terminal
from tests.support.clients.scenarios import MODES, SCENARIOS, play
from tests.support.clients.tap import Message, Passed, Tap
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

KEY: Final = "cgw_corpus"
HOME: Final = Path("/tmp/claude-corpus")
"""The same in every recording: an answer may cut a path into pieces, where it cannot be replaced any more."""

PROSE: Final = 200
"""Characters that stay whole; of longer text only the first ``LEFT`` do."""
LEFT: Final = 60

_UNSENT: Final = frozenset({"host", "content-length", "connection"})
_PROSE_KEYS: Final = frozenset({"text", "description", "content", "system"})
_FIXED: Final = (
    (re.compile(r"127\.0\.0\.1:(?!9/)\d+"), "127.0.0.1:1"),
    (re.compile(r"(?<=cc_version=)(\d+\.\d+\.\d+)\.\w+"), r"\1.000"),
    (re.compile(r"(?<=duration_ms: )\d+"), "50"),
    (re.compile(r"\b\d+(?=</usage>)"), "50"),
    (re.compile(r"/claude-\d+/"), "/claude-1000/"),
    (re.compile(r"(?<=cch=)\w+"), "00000"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "0" * 64),
    (re.compile(r"(?<=date is )\d{4}-\d\d-\d\d|(?<=date is now )\d{4}-\d\d-\d\d"), "2026-01-01"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z?"), "2026-01-01T00:00:00Z"),
    (re.compile(r"(?<=OS Version: )[^\n\"\\]+"), "Linux 6.1.0"),
    (re.compile(r'(?<="created":)\d+'), "1767225600"),
)
_NUMBERED: Final = (
    (
        "{:08x}-0000-4000-8000-000000000000",
        re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    ),
    ("msg_{:024d}", re.compile(r"\bmsg_[0-9a-f]{24}\b")),
    ("req_{:024d}", re.compile(r"\breq_[0-9a-f]{24}\b")),
    ("toolu_{:024d}", re.compile(r"\btoolu_\w{10,}\b")),
    ("a{:016x}", re.compile(r"\ba[0-9a-f]{16}\b")),
)


def normaliser() -> Callable[[str], str]:
    """Return a function that replaces what belongs to one run; the same id becomes the same number throughout."""
    numbers: dict[str, str] = {}
    counters = [itertools.count(1) for _ in _NUMBERED]

    def normal(text: str) -> str:
        for pattern, replacement in _FIXED:
            text = pattern.sub(replacement, text)
        for counter, (form, pattern) in zip(counters, _NUMBERED, strict=True):
            for found in pattern.findall(text):
                if found not in numbers:
                    numbers[found] = form.format(next(counter))
                text = text.replace(found, numbers[found])
        return text

    return normal


def cut(value: Any, key: str = "") -> Any:
    """Cut long prose; a reminder's tags stay, as the CLI and the gateway look at them."""
    if isinstance(value, dict):
        return {name: cut(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [cut(inner, key) for inner in value]
    if not isinstance(value, str) or key not in _PROSE_KEYS or len(value) <= PROSE or value.startswith("word1 "):
        return value
    end = "</system-reminder>" if value.rstrip().endswith("</system-reminder>") else ""
    # In thousands: a run differs by some characters from the next one.
    return f"{value[:LEFT]} … ({round(len(value), -3) or PROSE} characters){end}"


def main() -> None:
    """Write the corpus again."""
    with Scripted() as upstream, Tap(upstream.url) as tap:
        for release in cli.RELEASES:
            version = cli.version(release)
            folder = FOLDER / version
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            tools: dict[str, Any] = {}
            for scenario in (*SCENARIOS, *MODES):
                with _home():
                    tap.forget()
                    play(scenario, url=tap.url, key=KEY, upstream=upstream, release=release, home=HOME)
                _write(folder / f"{scenario.name}.json", _documents(tap, tools, orderly=scenario.name != "context"))
            with _home():
                _converse(tap, upstream, release)
            _write(folder / "title.json", _documents(tap, tools, orderly=False))
            _write(folder / TOOLS, dict(sorted(tools.items())))
            size = sum(file.stat().st_size for file in folder.iterdir())
            sys.stdout.write(f"{version}: {size // 1024} KiB\n")


@contextmanager
def _home() -> Iterator[None]:
    HOME.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(HOME)


def _converse(tap: Tap, upstream: Scripted, release: cli.Release) -> None:
    """Have a session in a terminal, whose title is asked for as well."""
    tap.forget()
    upstream.forget()
    project = HOME / "project"
    project.mkdir()
    # The newest release takes a title for traffic that is not needed.
    everything = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": ""}
    run: dict[str, Any] = {"url": tap.url, "key": KEY, "home": HOME, "cwd": project}
    with terminal.claude(**run, environment=everything, release=release, quiet=False) as shown:
        shown.submit("please explain at some length what one would do to say [[words 7]] here")
        shown.shows("word1 word2 word3 word4 word5 word6 word7")
        until(lambda: len(upstream.requests) >= 2, what="the session's title to be asked for")


def _documents(tap: Tap, tools: dict[str, Any], *, orderly: bool) -> list[dict[str, Any]]:
    """Return what passed; where requests go out at once, in an order that is the same each time."""
    normal = normaliser()
    passed = [one for one in tap.passed if one.request.method != "HEAD"]
    if not orderly:
        passed.sort(key=lambda one: one.request.body)
    return [_document(_exchange(one, normal), tools) for one in passed]


def _exchange(passed: Passed, normal: Callable[[str], str]) -> dict[str, Any]:
    request, answer = passed.request, passed.answer
    body = request.body.decode()
    assert answer is not None, request.first
    assert not body or compact(json.loads(body)) == request.body, "the CLI writes JSON in another way"
    return {
        "request": {
            "method": request.method,
            "target": normal(request.target),
            "headers": {name: normal(value) for name, value in request.headers if name.lower() not in _UNSENT},
            "body": cut(json.loads(normal(body))) if body else None,
        },
        "answer": {
            "status": answer.status,
            "content_type": answer.header("content-type") or "",
            "body": _lines(answer, normal),
        },
    }


def _lines(answer: Message, normal: Callable[[str], str]) -> list[str]:
    """Return an answer's text; AWS frames are left out, as they hold nothing but the same events in base64."""
    if answer.header("content-type") == "application/vnd.amazon.eventstream":
        return []
    return normal(answer.body.decode()).splitlines(keepends=True)


def _document(exchange: dict[str, Any], tools: dict[str, Any]) -> dict[str, Any]:
    """Put the tools aside; one name may stand for several forms of a tool."""
    body = exchange["request"]["body"]
    if body is not None and "tools" in body:
        body["tools"] = [_kept(tool, tools) for tool in body["tools"]]
    return exchange


def _kept(tool: dict[str, Any], tools: dict[str, Any]) -> str:
    name = f"{tool['name']}-{hashlib.sha256(compact(tool)).hexdigest()[:6]}"
    tools[name] = tool
    return name


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
