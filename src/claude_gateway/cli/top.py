"""``top``: live requests, targets and their health, refreshed in the terminal."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import run_folder
from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.remote import cluster, live
from claude_gateway.cli.terminal import printable
from claude_gateway.contract.report import LiveRequest, Overview, TargetState

MODULE: Final = "claude_gateway_proxy.gateway.overview"
_CLEAR: Final = "\x1b[H\x1b[J"
_SHOWN: Final = 20


@click.command(
    short_help="Show live requests, targets and their health.",
    epilog=options.epilog(
        "claude-gateway top                       # your own serve, refreshed every 2 seconds",
        "claude-gateway top --once -o json",
        "claude-gateway top --context prod -n claude-gateway --release cg-claude-gateway",
    ),
)
@options.url()
@cluster.options
@click.option("--once", is_flag=True, help="Print once and end.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    help="How often to refresh.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: for people. json: one line per refresh, for scripts.",
)
def top(
    *,
    url: str,
    context: str | None,
    namespace: str | None,
    release: str | None,
    once: bool,
    interval: float,
    output: Literal["text", "json"],
) -> None:
    """Show which requests run, where, and which targets failed or are ejected.

    It asks your own `serve` on this machine. With --context it asks each pod of a release, with `kubectl exec`: you
    need the right to create `pods/exec` in its namespace. No content of requests is shown. Ctrl-C ends it.
    """
    while True:
        if context is None:
            found = {url: _own(url)}
        else:
            found = cluster.overviews(MODULE, context=context, namespace=namespace, release=release)
        if output == "json":
            click.echo(
                json.dumps({name: json.loads(each.model_dump_json(by_alias=True)) for name, each in found.items()})
            )
        else:
            _show("\n".join(lines(found)), clear=not once and sys.stdout.isatty())
        if once:
            return
        time.sleep(interval)


def lines(found: dict[str, Overview]) -> Iterator[str]:
    """Yield the lines for people: each process with its requests, then its targets."""
    for name, overview in found.items():
        revision = (overview.revision or "none")[:8]
        yield printable(f"{name}  revision {revision}  {plural(overview.in_flight, 'request')} in flight")
        yield from _table(_REQUEST_HEAD, [_request(each) for each in overview.requests[:_SHOWN]])
        hidden = overview.in_flight - min(len(overview.requests), _SHOWN)
        if hidden > 0:
            yield f"  … and {hidden} more"
        yield from _table(_TARGET_HEAD, [_target(each) for each in overview.targets[:_SHOWN]])
        hidden = len(overview.targets) - _SHOWN
        if hidden > 0:
            yield f"  … and {hidden} more"
        yield ""


_REQUEST_HEAD: Final = ("SECONDS", "CLIENT", "MODEL", "ROUTE", "TARGET", "LANE", "STATE")
_TARGET_HEAD: Final = ("TARGET", "RUNNING", "HEALTH", "LAST FAILURE")


def _request(request: LiveRequest) -> Sequence[str]:
    state = "answering" if request.first_byte else "waiting" if request.target else "queued"
    tries = f", try {request.attempts}" if request.attempts > 1 else ""
    return (
        f"{request.seconds:.1f}",
        request.client,
        request.model or "-",
        request.route,
        request.target or "-",
        request.lane or "-",
        f"{state}{tries}",
    )


def _target(target: TargetState) -> Sequence[str]:
    ejected = target.ejected_seconds > 0
    health = f"ejected for {target.ejected_seconds:.0f} s" if ejected else "ok"
    return target.target, str(target.in_flight), health, target.last or "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield printable("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _own(url: str) -> Overview:
    serving = run_folder.find(url)
    found = live.overview(serving.socket) if serving else None
    if found is None:
        fix = "Start one with `claude-gateway serve -f DIR`, set its address with --url, or use --context."
        raise Trouble(f"no `serve` of yours on this machine answers at {url}", fix=fix)
    return found


def _show(text: str, *, clear: bool) -> None:
    if not clear:
        click.echo(text)
        return
    size = shutil.get_terminal_size()
    cut = [line[: size.columns] for line in text.split("\n")[: size.lines - 1]]
    click.echo(_CLEAR + "\n".join(cut))
