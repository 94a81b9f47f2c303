"""``docs/conformance.md``: every requirement and what the gateways that were asked made of it, from kept results."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.reference.markdown import code, page, table

from claude_gateway.conformance.check import Check, Outcome
from claude_gateway.conformance.checks import AREAS, CHECKS

RESULTS: Final = Path(__file__).resolve().parents[2] / "docs" / "conformance"
MARKS: Final = {Outcome.PASS: "✓", Outcome.FAIL: "**✗**", Outcome.NOT_APPLICABLE: "n/a"}
INTRO: Final = """\
What Claude Code needs of a gateway, requirement by requirement, and what three gateways make of it, one of them on two
lanes. Each row is a check of `claude-gateway conformance`, which anyone can
[point at any gateway](how-to/conformance.md); behind each of these stood the same
[scripted model](../images/scripted-upstream/README.md).

✓ the requirement is met; **✗** it is not, and [what failed](#what-failed) says what was seen; n/a the gateway does not
claim the thing, or it cannot be seen from outside. The sources are Anthropic's published protocol for LLM gateways and
its API reference, those of OpenAI and AWS for their formats, what Claude Code 2.1.328 was seen to do, and the goals of
this project: rows of that kind are wishes of ours, which others never promised to meet."""
COLUMNS: Final = {
    "claude-gateway": "`claude-gateway serve` with the configuration that `claude-gateway conformance --print-config` "
    "prints. Its pings were set to one second (`CLAUDE_GATEWAY_PING_SECONDS`), so that silences need not last.",
    "claude-gateway-litellm": "The same, with `via: LiteLLM` in every target: LiteLLM translates what the gateway "
    "would translate itself, as it does for all other providers.",
    "litellm": "The stock proxy, `litellm --config`, with a model list for all the same upstreams, `drop_params`, "
    "`modify_params`, no retries and no cooldowns, and client headers forwarded for one model, as its docs say for "
    "Claude Code. It ran without a database, so what concerns several keys, or unknown ones, is n/a. Google's sign-in "
    "is an extra that was not installed, and its Vertex pass-through calls Google's own address: n/a too.",
    "claude-code-router": "From npm, `ccr start` with providers for Anthropic, an OpenAI-compatible server and Gemini, "
    "and an `APIKEY`. It is made for one person's Claude Code in Messages mode: the clouds' modes, other clients' "
    "formats and model lists are n/a. Newer releases could not be installed from the registry that was used.",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One gateway's results by check id."""

    key: str
    name: str
    day: str
    verdicts: Mapping[str, Outcome]
    evidence: Mapping[str, str]

    @classmethod
    def read(cls, key: str) -> "Column":
        """Read a kept result file."""
        document = json.loads((RESULTS / f"{key}.json").read_text(encoding="utf-8"))
        results = document["results"]
        return cls(
            key=key,
            name=document["gateway"],
            day=document["at"][:10],
            verdicts={id_: Outcome(result["verdict"]) for id_, result in results.items()},
            evidence={id_: result["evidence"] for id_, result in results.items()},
        )

    def mark(self, check: Check) -> str:
        """The verdict on a check, as a sign."""
        verdict = self.verdicts.get(check.id)
        return "?" if verdict is None else MARKS[verdict]


def render() -> str:
    """The whole page."""
    columns = [Column.read(key) for key in COLUMNS]
    parts = [_summary(columns), *(f"**{column.name}**: {COLUMNS[column.key]}" for column in columns)]
    for area, title in AREAS.items():
        rows = [_row(check, columns) for check in CHECKS if check.area == area]
        names = [column.name for column in columns]
        parts += [f"## {title}", table(("Check", "Requirement", "Source", *names), rows)]
    parts += ["## What failed", *_failures(columns)]
    source = "src/claude_gateway/conformance and docs/conformance/*.json (`make conformance conformance-peers`)"
    return page("Conformance", INTRO, parts, source=source)


def _summary(columns: list[Column]) -> str:
    rows = []
    for column in columns:
        counts = Counter(column.verdicts[check.id] for check in CHECKS if check.id in column.verdicts)
        rows.append((column.name, *(str(counts[verdict]) for verdict in MARKS), column.day))
    return table(("Gateway", "Met", "Not met", "Not applicable", "Asked on"), rows)


def _row(check: Check, columns: list[Column]) -> tuple[str, ...]:
    marks = [column.mark(check) for column in columns]
    return (code(check.id), check.requirement, check.source.value, *marks)


def _failures(columns: list[Column]) -> Iterator[str]:
    for column in columns:
        failed = [check for check in CHECKS if column.verdicts.get(check.id) is Outcome.FAIL]
        lines = [f"- `{check.id}`: {_plain(column.evidence[check.id])}" for check in failed]
        yield f"### {column.name}\n\n" + ("\n".join(lines) or "Nothing.")


def _plain(text: str) -> str:
    """Evidence that Markdown leaves as it is."""
    for sign in "\\`*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text
