"""``spend``: what requests cost, from the files of ``serve``, from log lines, or from Prometheus."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeVar

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import state_folder
from claude_gateway.cli.spending import dayfiles, lines, prometheus, table
from claude_gateway.cli.spending.totals import PROPERTIES, Period, Totals, moment, properties

_T = TypeVar("_T")
_STDIN: Final = Path("-")


@click.command(
    short_help="Show what requests cost, by client, model, agent and more.",
    epilog=options.epilog(
        "claude-gateway spend --by client,model --since 7d        # your own serve",
        "claude-gateway spend --by session,agent_type --since 24h -o json",
        "kubectl logs -l app.kubernetes.io/component=proxy -c gateway --tail=-1 | claude-gateway spend --by user -",
        "claude-gateway spend --prometheus http://127.0.0.1:9090 --by route --since 2026-10-01 --until 2026-11-01",
    ),
)
@click.argument("logs", metavar="[LOG]...", nargs=-1, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option(
    "--by",
    metavar="LIST",
    default="client,model",
    show_default=True,
    help=f"What to sum by, separated by commas: {', '.join(PROPERTIES)}.",
)
@click.option(
    "--since",
    metavar="WHEN",
    default="7d",
    show_default=True,
    help="`30m`, `24h`, `7d`, `2w`: so long ago. Or a date or time, in UTC without a zone.",
)
@click.option("--until", metavar="WHEN", help="End of the period, written like --since. Default: now.")
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The --state of `serve`, whose files are read without LOG. Default: ~/.local/state/claude-gateway.",
)
@click.option("--prometheus", "prometheus_url", metavar="URL", help="Ask a Prometheus that scrapes the gateway.")
@click.option(
    "--match",
    "matchers",
    metavar="LABELS",
    default="",
    help="With --prometheus: only series with these labels, such as 'namespace=\"ai\"'.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --prometheus: file with a bearer token for it.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="table: for people, the 50 most expensive groups. json: all groups, for programs.",
)
def spend(
    *,
    logs: tuple[Path, ...],
    by: str,
    since: str,
    until: str | None,
    state: Path | None,
    prometheus_url: str | None,
    matchers: str,
    token_file: Path | None,
    output: Literal["table", "json"],
) -> None:
    """Show what requests cost, at list price or the route's own.

    Without LOG it reads what your own `serve` keeps for 92 days. LOG is a file with the gateway's JSON log lines, or
    `-` for standard input. Log lines are exact and know sessions, agents and users. Prometheus knows clients, routes,
    models and agent types, for as long as it keeps them, and estimates the edges of the period.
    """
    if prometheus_url is not None and logs:
        raise click.UsageError("LOG and --prometheus cannot be used together")
    if prometheus_url is None and (matchers or token_file is not None):
        raise click.UsageError("--match and --token-file need --prometheus")
    wanted = _given("--by", lambda: properties(by))
    period = _period(since, until)
    if prometheus_url is not None:
        url = prometheus_url.rstrip("/")
        found = prometheus.totals(url, by=wanted, period=period, matchers=matchers, token_file=token_file)
        source = url
    else:
        found, source = _read(wanted, period, logs=logs, state=state)
    if output == "json":
        click.echo(table.document(found, period, source=source))
    else:
        click.echo("\n".join(table.lines(found, period, source=source)))


def _read(by: tuple[str, ...], period: Period, *, logs: tuple[Path, ...], state: Path | None) -> tuple[Totals, str]:
    """Read the logs, or the files of ``serve`` if there are none; returns the totals and their source."""
    totals = Totals(by)
    folder = (state or state_folder.default()) / dayfiles.FOLDER
    for path in logs or dayfiles.within(folder, period):
        try:
            if path == _STDIN:
                lines.read(sys.stdin.buffer, totals, period)
            else:
                with path.open("rb") as stream:
                    lines.read(stream, totals, period)
        except OSError as error:
            raise Trouble(f"{path} cannot be read: {error.strerror}", fix="Check its name and your rights.") from None
    return totals, ", ".join(map(str, logs)) if logs else str(folder)


def _period(since: str, until: str | None) -> Period:
    now = datetime.now(UTC)
    start = _given("--since", lambda: moment(since, now=now))
    end = now if until is None else _given("--until", lambda: moment(until, now=now))
    if start >= end:
        raise click.UsageError("--since must be before --until, and in the past")
    return Period(start, end)


def _given(option: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None
