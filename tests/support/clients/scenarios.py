"""What a user of Claude Code does, so that the CLI makes each kind of request that it knows, at any address.

The prompts hold directives of the scripted upstream; ``$CWD`` stands for the working folder of a run.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.clients import cli

from claude_gateway_scripted import Scripted

PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EVENTS: Final = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")

_SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run: the CLI's arguments, what the upstream is set to before it, and what is in the working folder.

    ``spoken`` are user turns given one after another in one session; ``mode`` is the path that the base URL of a
    provider mode ends in. ``releases`` are those that know of it.
    """

    name: str
    arguments: tuple[str, ...] = ()
    script: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    spoken: tuple[Any, ...] = ()
    releases: tuple[cli.Release, ...] = cli.RELEASES


def call(tool: str, **arguments: Any) -> str:
    """Write the directive that makes the upstream call a tool."""
    return f"[[tool {tool} {json.dumps(arguments)}]]"


def allowed(tools: str, prompt: str, *, name: str, **more: Any) -> Scenario:
    """Return a scenario whose prompt calls tools that may run unasked."""
    return Scenario(name, ("--allowedTools", tools, "--", prompt), **more)


_NOTE: Final = {"note.txt": b"the word is ultramarine\n"}
_READ: Final = call("Read", file_path="$CWD/note.txt")
_BASH: Final = call("Bash", command="echo $((6*7))", description="multiply")
_ERRAND: Final = {
    "description": "errand",
    "prompt": "hello from inside",
    "subagent_type": "general-purpose",
    "run_in_background": False,
}
_RISKY: Final = call("Bash", command="curl -s http://127.0.0.1:9/", description="ask")
_IMAGE: Final = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()},
}
_LONG: Final = "describe in some detail how one would go about [[words 12]] in a project like this one"

SCENARIOS: Final = (
    Scenario("prompt", ("hello",)),
    Scenario("conversation", spoken=("hello", "[[think]] and again")),
    Scenario("sonnet-45", ("--model", "claude-sonnet-4-5-20250929", "[[think]] hello")),
    Scenario("haiku", ("--model", "haiku", "hello")),
    Scenario("unknown-model", ("--model", "some-other-model", "--effort", "high", "hello")),
    Scenario("bare", ("--bare", "hello"), environment={"ANTHROPIC_API_KEY": "cgw_corpus"}),
    Scenario("no-betas", (_LONG,), environment={"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}),
    Scenario("gateway-mode", (_LONG,), environment={"CLAUDE_CODE_USE_GATEWAY": "1"}),
    Scenario(
        "unknown-parts",
        ("hello",),
        environment={
            "CLAUDE_CODE_EXTRA_BODY": '{"x_unknown": {"list": [1, 2.5, null], "text": "\u00e9\\u2028"}}',
            "ANTHROPIC_BETAS": "unknown-beta-2027-01-01",
            "ANTHROPIC_CUSTOM_HEADERS": "anthropic-unknown: 1\nx-team: red",
        },
    ),
    allowed("Read", f"[[think]] {_READ}", name="tool", files=_NOTE),
    allowed("Read", call("Read", file_path="$CWD/missing.txt"), name="tool-failure"),
    allowed("Read Bash", f"{_READ} {_BASH}", name="tools-parallel", files=_NOTE),
    allowed(
        "Read Write Edit",
        f"please change it: {_READ}",
        name="edit",
        files=_NOTE,
        script=(
            {"tools": [["Read", {"file_path": "$CWD/note.txt"}]]},
            {
                "tools": [
                    ["Edit", {"file_path": "$CWD/note.txt", "old_string": "ultramarine", "new_string": "ochre"}],
                    ["Write", {"file_path": "$CWD/other.txt", "content": "umber\n"}],
                ]
            },
        ),
    ),
    allowed("Agent", call("Agent", **_ERRAND), name="subagent"),
    allowed("WebSearch", call("WebSearch", query="cats and dogs"), name="web-search"),
    allowed("ToolSearch WebFetch", call("ToolSearch", query="select:WebFetch"), name="tool-search"),
    Scenario("context", ("/context",)),
    allowed("Read", call("Read", file_path="$CWD/dot.png"), name="image-read", files={"dot.png": PIXEL}),
    Scenario("image", spoken=([{"type": "text", "text": "what is it"}, _IMAGE],)),
    Scenario(
        "structured",
        ("--json-schema", json.dumps(_SCHEMA), "--", call("StructuredOutput", city="Wien", days=[1, 2])),
    ),
    Scenario("long-answer", ("[[words 300]]",)),
    Scenario("not-streamed", ("hello",), script=({"text": "one two three", "midstream": "error", "chunk_delay": 0.2},)),
    Scenario("safeguards", ("--permission-mode", "auto", "--", _RISKY), settings={"safeguards": "not_flagged"}),
    Scenario(
        "classifier",
        ("--permission-mode", "auto", "--", _RISKY),
        script=({"text": "<block>no", "match": "</block>"}, {"text": "<severity>3", "match": "</severity>"}),
        environment={"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"},
    ),
)
"""Messages mode, the one that every gateway must serve."""

_AWS: Final = {"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1", "AWS_REGION": "us-east-1"}
_GOOGLE: Final = {
    "CLAUDE_CODE_USE_VERTEX": "1",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
    "ANTHROPIC_VERTEX_PROJECT_ID": "corpus",
    "CLOUD_ML_REGION": "us-east5",
}
_AZURE: Final = {"CLAUDE_CODE_USE_FOUNDRY": "1", "ANTHROPIC_FOUNDRY_API_KEY": "cgw_corpus"}

MODES: Final = tuple(
    allowed("Read", prompt, name=f"{name}-{what}", files=_NOTE, environment=environment)
    for name, environment in (
        ("bedrock", {**_AWS, "ANTHROPIC_BEDROCK_BASE_URL": "$URL/bedrock"}),
        ("vertex", {**_GOOGLE, "ANTHROPIC_VERTEX_BASE_URL": "$URL/vertex/v1"}),
        ("foundry", {**_AZURE, "ANTHROPIC_FOUNDRY_BASE_URL": "$URL"}),
    )
    for what, prompt in (("prompt", "hello"), ("tool", f"[[think]] {_READ}"))
)
"""The provider modes of the CLI, each with one prompt and one tool turn."""


def play(
    scenario: Scenario,
    *,
    url: str,
    key: str,
    upstream: Scripted,
    release: cli.Release,
    home: Path,
    model: str | None = None,
) -> cli.Result:
    """Run a scenario against an address behind which the upstream is; ``home`` is an empty folder."""
    cwd = home / "project"
    cwd.mkdir()
    for name, content in scenario.files.items():
        (cwd / name).write_bytes(content)

    def placed(text: str) -> str:
        return text.replace("$CWD", str(cwd)).replace("$URL", url)

    upstream.forget()
    upstream.script(*json.loads(placed(json.dumps(scenario.script))))
    upstream.configure(**scenario.settings)
    arguments = ["-p", *EVENTS, *map(placed, scenario.arguments)]
    turns = [{"type": "user", "message": {"role": "user", "content": said}} for said in scenario.spoken]
    if turns:
        arguments += ["--input-format", "stream-json"]
    try:
        return cli.run(
            arguments,
            url=url,
            key=key,
            model=model,
            cwd=cwd,
            home=home,
            environment={name: placed(value) for name, value in scenario.environment.items()},
            release=release,
            said="".join(json.dumps(turn) + "\n" for turn in turns),
        )
    finally:
        upstream.configure(safeguards=None)
