"""Runs checks one after another and gives a verdict for each."""

from collections.abc import Iterator, Sequence
from typing import Final

from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import NEEDS, Check, Failed, NotApplicable, Result, Verdict, shorten
from claude_gateway.conformance.client import Client
from claude_gateway.conformance.options import Options
from claude_gateway.conformance.upstream import Upstream

HIDDEN: Final = "<key>"


def run(checks: Sequence[Check], *, url: str, options: Options, upstream: str | None) -> Iterator[Result]:
    """Run the checks in order, each with a clean upstream.

    Raises UpstreamError when the control face at ``upstream`` does not answer.
    """
    behind = Upstream(upstream) if upstream else None
    missing = options.missing(upstream=behind is not None)
    for check in checks:
        lacking = sorted(check.needs & missing)
        if lacking:
            yield Result(check, Verdict.NOT_APPLICABLE, "needs " + "; ".join(NEEDS[need] for need in lacking))
            continue
        if behind is not None:
            behind.reset()
        verdict, evidence = _judge(check, Bench(Client(url), options, behind))
        yield Result(check, verdict, shorten(evidence.replace(options.key, HIDDEN), 600))


def _judge(check: Check, bench: Bench) -> tuple[Verdict, str]:
    try:
        return Verdict.PASS, check.run(bench)
    except NotApplicable as reason:
        return Verdict.NOT_APPLICABLE, str(reason)
    except Failed as failed:
        return Verdict.FAIL, str(failed)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        # An answer of another shape than a check walks through: that is a failure of the answer, not of the suite.
        return Verdict.FAIL, f"an answer of another shape: {type(error).__name__} {error}"
