"""``status``: says whether the gateway is ready, what is live, which objects have problems, and what failed last."""

import sys
from pathlib import Path

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Exit
from claude_gateway.cli.files import config, run_folder
from claude_gateway.cli.files.config import Decision
from claude_gateway.cli.remote import live, web
from claude_gateway.cli.terminal import printable
from claude_gateway.names import ConditionType


@click.command(
    short_help="Show what is live and which objects have problems.",
    epilog=options.epilog("claude-gateway status -f gateway"),
)
@options.files()
@options.env_file()
@options.url()
@options.installation
@options.client_certificates
def status(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    url: str,
    no_loopback: bool,
    allow_hosts: tuple[str, ...],
    forward_to: tuple[str, ...],
    client_certificates: bool,
) -> None:
    """Show the gateway's readiness, the live revision, each object's conditions, and the last failure of each target.

    Sends no request to a model. Revision and failures are known only of your own `serve` on this machine. The exit code
    is 1 if the gateway is not ready or an object has an error.
    """
    rules = config.settings(
        loopback=not no_loopback,
        allow_hosts=allow_hosts,
        forward_to=forward_to,
        client_certificates=client_certificates,
    )
    decision = config.load(sources, options.variables(env_file), rules=rules)
    ready = _gateway(url, decision)
    for each in decision.plan.statuses:
        false = [found for found in each.conditions if found.status == "False"]
        notable = [*false, *(found for found in each.conditions if found.type == ConditionType.SUSPENDED)]
        accepted = [found.message for found in each.conditions if found.type == ConditionType.ACCEPTED]
        shown = "; ".join([f"{found.type}: {found.message}" for found in notable] or accepted[:1])
        click.echo(printable(f"{'not ok' if false else 'ok'}  {each.object}  {shown}".rstrip()))
    for finding in decision.findings:
        if not finding.is_error:
            click.echo(printable(f"warning  {finding.about}  {finding.message}"))
    serving = run_folder.find(url)
    for failure in live.failures(serving.socket, since=0) if serving else ():
        click.echo(printable(f"last failure  {failure}"))
    sys.exit(Exit.OK if ready and not decision.errors else Exit.PROBLEMS)


def _gateway(url: str, decision: Decision) -> bool:
    """Print whether the gateway is ready and what is live there; return whether it is ready."""
    try:
        answer = web.fetch(f"{url}/readyz")
    except web.UnreachableError as error:
        click.echo(f"gateway  nothing answers at {url}: {error}")
        return False
    said = answer.body.decode("utf-8", "replace").strip()
    click.echo(printable(f"gateway  {url}: {said if answer.status in (200, 503) else f'status {answer.status}'}"))
    serving = run_folder.find(url)
    report = live.status(serving.agent) if serving else None
    bundle = decision.plan.bundle
    if report is not None and bundle is not None:
        same = "as in the files" if report.live == bundle.meta.revision else "not as in the files"
        click.echo(f"revision  {(report.live or 'none')[:8]}, {same}")
    return answer.status == 200
