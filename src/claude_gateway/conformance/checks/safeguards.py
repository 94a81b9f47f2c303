"""Claude Code's auto mode asks the upstream to judge tool calls: passed on, judged, or left open, never invented."""

from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.requirement import Need, Source, expect
from claude_gateway.conformance.upstream import AGAIN

BETA: Final = ("anthropic-beta", "claude-code-20250219,dangerous-tool-use-2026-09-03")
ASKED: Final = [
    {
        "type": "dangerous_tool_use",
        "classifier_context": {
            "v": 1,
            "permission_mode": "auto",
            "live_cwd": "/home/dev/project",
            "rules": {"allow": [], "soft_deny": [], "environment": []},
            "trusted_directories": ["/home/dev/project"],
            "git_state": {"branch": "main"},
        },
    }
]
CLASSIFIER: Final = 144_000
"""Bytes of a request of Claude Code's own classifier."""


def _asking(bench: Bench, model: str, command: str = "rm -rf build") -> dict[str, Any]:
    text = f'Do it [[tool Bash {{"command": "{command}"}}]]'
    return bench.body(text, model=model, tools=[samples.BASH], safeguards=ASKED)


def _statuses(found: list[sse.Event]) -> list[dict[str, Any]]:
    delta = sse.named(found, "message_delta")["delta"]
    return [dict(result["status"]) for result in delta.get("safeguard_results") or []]


@check(
    "safeguards.request",
    "`safeguards` and its beta reach a Claude model as sent",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def request(bench: Bench) -> str:
    bench.stream(_asking(bench, bench.models.claude), headers=[BETA])
    seen = bench.seen()
    expect(seen.json.get("safeguards") == ASKED, f"safeguards arrived as {seen.json.get('safeguards')}")
    expect("dangerous-tool-use-2026-09-03" in seen.all("anthropic-beta"), f"betas {seen.all('anthropic-beta')}")
    return "field and beta arrived"


@check(
    "safeguards.answer",
    "A Claude model's `safeguard_results` in the last `message_delta` arrive as it gave them",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def answer(bench: Bench) -> str:
    bench.upstream.configure(safeguards="flagged")
    found = bench.stream(_asking(bench, bench.models.claude), headers=[BETA])
    statuses = _statuses(found)
    expect(statuses and statuses[0].get("type") == "available", f"results {statuses}")
    outcomes = [verdict["outcome"] for verdict in statuses[0]["tool_uses"].values()]
    expect(outcomes == ["flagged"], f"outcomes {outcomes}")
    return "flagged, as the upstream said"


@check(
    "safeguards.never-invented",
    "Nothing is called `not_flagged` for a model whose calls nobody judged",
    Need.OTHER,
    source=Source.MEASURED,
)
def never_invented(bench: Bench) -> str:
    reply = bench.messages({**_asking(bench, bench.models.other), "stream": True}, headers=[BETA])
    if reply.status == 400:
        expect(b"safeguards" in reply.body, f"{reply}: 400 that does not name safeguards")
        return str(reply)
    statuses = _statuses(sse.of_messages(reply))
    expect(b"not_flagged" not in reply.body, f"not_flagged without a judgement: {statuses}")
    return f"statuses {statuses or 'none'}"


@check(
    "safeguards.judged",
    "Tool calls of a model that is not Claude are judged by the configured model, and its verdict is the answer",
    Need.JUDGE,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def judged(bench: Bench) -> str:
    bench.upstream.configure(dangerous="rm -rf")
    for command, wanted in (("rm -rf build", "flagged"), ("touch notes", "not_flagged")):
        found = bench.stream(_asking(bench, bench.models.judged, command), headers=[BETA], timeout=60)
        statuses = _statuses(found)
        expect(statuses and statuses[0].get("type") == "available", f"results {statuses}")
        calls = [block["id"] for block in sse.blocks(found) if block.get("type") == "tool_use"]
        given = statuses[0]["tool_uses"]
        expect(calls and list(given) == calls, f"verdicts for {list(given)}, calls {calls}")
        outcomes = [value.get("outcome") for value in given.values()]
        expect(outcomes == [wanted], f"{command!r}: outcomes {outcomes}, {wanted} was the judgement")
    return "flagged and not_flagged, as judged"


@check(
    "safeguards.judge-away",
    "Where the judge gives no usable answer, nothing is called `not_flagged`",
    Need.JUDGE,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def judge_away(bench: Bench) -> str:
    # First the judge's own answers are not verdicts, then it is overloaded.
    for steps in ([], [{"match": "<document>", "status": 529, "times": AGAIN}]):
        bench.upstream.script(*steps)
        body = {**_asking(bench, bench.models.judged), "stream": True}
        reply = bench.messages(body, headers=[BETA], timeout=60).expect(200)
        statuses = _statuses(sse.of_messages(reply))
        expect(b"not_flagged" not in reply.body, f"not_flagged without a judgement: {statuses}")
    return f"statuses {statuses}"


@check(
    "safeguards.classifier",
    f"Claude Code's own classifier, {CLASSIFIER // 1000} KB not streamed, with a stop sequence, is served",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def classifier(bench: Bench) -> str:
    body = bench.body("and so on " * (CLASSIFIER // 10), max_tokens=64, stop_sequences=["</block>"])
    bench.script(text="<block>no</block>")
    message = bench.answer(body)
    expect(text_of(message) == "<block>no", f"it said {text_of(message)!r}")
    expect(message["stop_reason"] == "stop_sequence", f"stop_reason {message['stop_reason']}")
    return f"{message['stop_reason']} after {text_of(message)!r}"


CHECKS: Final = (request, answer, never_invented, judged, judge_away, classifier)
