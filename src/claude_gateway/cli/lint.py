"""``lint``: reports every mistake in the files, with its position and how to fix it."""

import sys
from pathlib import Path
from typing import Literal

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Exit
from claude_gateway.cli.files import config, findings
from claude_gateway.cli.files.findings import VARIABLE_NOT_SET
from claude_gateway.names import Reason
from claude_gateway.plan.routes import targets


@click.command(
    short_help="Check YAML files: file, line, what is wrong, how to fix it.",
    epilog=options.epilog(
        "claude-gateway lint -f gateway",
        "claude-gateway lint -f gateway --env-file .env",
        "claude-gateway lint -f gateway --format github    # annotations in a GitHub workflow",
    ),
)
@options.files()
@options.env_file()
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="text: file:line:column, what is wrong, how to fix it. json: a list. github: workflow annotations.",
)
@click.option(
    "--allow-unset",
    is_flag=True,
    help="Report unset variables as warnings, for CI without keys.",
)
@options.installation
@options.client_certificates
def lint(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    output: Literal["text", "json", "github"],
    allow_unset: bool,
    no_loopback: bool,
    allow_hosts: tuple[str, ...],
    forward_to: tuple[str, ...],
    client_certificates: bool,
) -> None:
    """Check YAML files and report every mistake with file, line and fix. Warnings do not fail the command."""
    rules = config.settings(
        loopback=not no_loopback,
        allow_hosts=allow_hosts,
        forward_to=forward_to,
        client_certificates=client_certificates,
    )
    decision = config.load(sources, options.variables(env_file), rules=rules)
    milder = _of_logins(decision) | ({VARIABLE_NOT_SET} if allow_unset else set())
    found = [findings.as_warning(f) if {f.reason, f.message} & milder else f for f in decision.findings]
    if output == "json":
        click.echo(findings.as_json(found))
    elif output == "github":
        for finding in found:
            click.echo(findings.github(finding))
    else:
        for finding in found:
            click.echo(findings.text(finding))
        policy = decision.plan.policy
        routes = sum(bool(route.all_targets) for route in policy.routes)
        parts = (findings.plural(routes, "route"), findings.plural(len(policy.clients), "client"))
        click.echo(f"{findings.count(found)}; {' and '.join(parts)} would serve", err=True)
    sys.exit(Exit.PROBLEMS if any(finding.is_error for finding in found) else Exit.OK)


def _of_logins(decision: config.Decision) -> set[str]:
    """Return the reason of a missing login, and the messages about its targets: people sign in later, elsewhere."""
    missing = [problem.object for problem in decision.plan.problems if problem.reason is Reason.NOT_SIGNED_IN]
    return {Reason.NOT_SIGNED_IN, *(targets.unusable(ref) for ref in missing)}
