"""Runs checks one after another and yields a result for each."""

from collections.abc import Iterator, Sequence
from typing import Final

from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import Check, Outcome, Result
from claude_gateway.conformance.client import Client
from claude_gateway.conformance.options import Options
from claude_gateway.conformance.requirement import NEEDS, Failed, NotApplicable, shorten
from claude_gateway.conformance.upstream import Upstream

HIDDEN: Final = "<key>"


def run(checks: Sequence[Check], *, url: str, options: Options, upstream: str | None) -> Iterator[Result]:
    """Run the checks in order, each with a clean upstream.

    Raises UpstreamError when the control address ``upstream`` does not answer.
    """
    behind = Upstream(upstream) if upstream else None
    missing = options.missing(upstream=behind is not None)
    for check in checks:
        lacking = sorted(check.needs & missing)
        if lacking:
            yield Result(check, Outcome.NOT_APPLICABLE, "needs " + "; ".join(NEEDS[need] for need in lacking))
            continue
        if behind is not None:
            behind.reset()
        outcome, evidence = _outcome(check, Bench(Client(url), options, behind))
        yield Result(check, outcome, shorten(evidence.replace(options.key, HIDDEN), 600))


def _outcome(check: Check, bench: Bench) -> tuple[Outcome, str]:
    try:
        return Outcome.PASS, check.run(bench)
    except NotApplicable as reason:
        return Outcome.NOT_APPLICABLE, str(reason)
    except Failed as failed:
        return Outcome.FAIL, str(failed)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        # The response does not have the structure that the check expects: a failure of the gateway, not of the suite.
        return Outcome.FAIL, f"unexpected structure of the response: {type(error).__name__} {error}"
