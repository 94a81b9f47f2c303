"""``conformance``: checks any gateway from outside against the contract that Claude Code needs."""

import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.keys import client_key
from claude_gateway.conformance import manifests, report, suite
from claude_gateway.conformance.check import Check, Outcome, Result
from claude_gateway.conformance.checks import CHECKS
from claude_gateway.conformance.options import Models, Options
from claude_gateway.conformance.requirement import Need
from claude_gateway.conformance.upstream import UpstreamError

_MARKS: Final = {Outcome.PASS: "PASS", Outcome.FAIL: "FAIL", Outcome.NOT_APPLICABLE: "N/A "}
_EXAMPLES: Final = options.epilog(
    "claude-gateway conformance --print-config --upstream http://127.0.0.1:4001 > gateway/conformance.yaml",
    "claude-gateway conformance --url http://127.0.0.1:4000 --upstream http://127.0.0.1:4001 --report out.md",
    "claude-gateway conformance --url https://llm.example.com --key-file key.txt --without bedrock --without vertex",
    "claude-gateway conformance --only stream --only errors.key.unknown",
).replace(options.EXIT_CODES, "Exit codes: 0 no check failed, 1 a check failed, 2 the suite could not run.")


class CannotRun(Trouble):
    """Ends the command with exit code 2: the suite could not run and says nothing about the gateway."""

    exit_code = int(Exit.USAGE)


def _model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option per model name, in the order of the fields of ``Models``."""
    for item in reversed(fields(Models)):
        flag = item.name.replace("_", "-")
        flag = f"--{flag}" if flag.endswith(("-id", "-arn")) else f"--{flag}-model"
        meaning = str(item.metadata["help"])
        text = f"{meaning[0].upper()}{meaning[1:]}; empty if there is none."
        command = click.option(
            flag, f"model_{item.name}", default=item.default, metavar="NAME", show_default=True, help=text
        )(command)
    return command


@click.command(short_help="Check any gateway against the contract that Claude Code needs.", epilog=_EXAMPLES)
@options.url()
@click.option(
    "--key",
    metavar="KEY",
    help=f"The client key. It is visible in the process list of this machine: prefer ${options.KEY_VARIABLE} or "
    "--key-file.",
)
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File that holds only the client key. Default: ${options.KEY_VARIABLE}.",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="Control address of the scripted model behind the gateway. Without it, upstream requests are not checked.",
)
@click.option(
    "--report", "report_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Markdown."
)
@click.option("--json", "json_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="JSON.")
@click.option(
    "--only", metavar="ID", multiple=True, help="Run only this check, or all whose IDs begin with this. Repeatable."
)
@click.option(
    "--without",
    metavar="WHAT",
    type=click.Choice([need.value for need in Need]),
    multiple=True,
    help=f"A feature that the gateway does not claim; checks that need it do not apply. One of {', '.join(Need)}.",
)
@click.option("--list", "list_only", is_flag=True, help="List the checks without running them.")
@click.option(
    "--print-config",
    is_flag=True,
    help="Print the YAML to test Claude Gateway with, for an upstream at --upstream, without running a check.",
)
@click.option("--name", default="the gateway", show_default=True, help="Name of the gateway in the report.")
@click.option(
    "--silence",
    type=click.FloatRange(min=0.5),
    default=35.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the upstream stays silent in the checks that require a ping.",
)
@click.option(
    "--max-output-tokens",
    type=int,
    default=8192,
    show_default=True,
    help="The gateway's output limit for the model of --other-model.",
)
@click.option(
    "--key-header",
    default="x-gateway-key",
    show_default=True,
    metavar="NAME",
    help="Header for the gateway key if Authorization holds the client's own login.",
)
@click.option(
    "--bedrock-base", default="", metavar="PATH", help="Path in front of Bedrock's /model/... Default: the root."
)
@click.option(
    "--bedrock-prefix", default="/bedrock", show_default=True, metavar="PATH", help="Alternative to --bedrock-base."
)
@click.option(
    "--vertex-base", default="/v1", show_default=True, metavar="PATH", help="Path in front of Vertex's /projects."
)
@click.option(
    "--vertex-prefix", default="/vertex/v1", show_default=True, metavar="PATH", help="Alternative to --vertex-base."
)
@_model_options
def conformance(
    *,
    url: str,
    key: str | None,
    key_file: Path | None,
    upstream: str | None,
    report_file: Path | None,
    json_file: Path | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    list_only: bool,
    print_config: bool,
    name: str,
    **settings: Any,
) -> None:
    """Check any gateway against the contract that Claude Code needs, and print a reason for each result.

    The gateway must use the scripted model (`python -m claude_gateway_scripted`) as its upstream. The suite controls
    its responses and reads what it received, so nothing else may use it. Checks run one after another and take a few
    minutes. Without --upstream they run against the gateway's real upstream and cost a few short prompts.
    """
    chosen = _chosen(only)
    if list_only:
        for check in chosen:
            click.echo(f"{check.id}\n    {check.requirement} ({check.source.value})")
        return
    models = Models(**{item.name: settings.pop(f"model_{item.name}") for item in fields(Models)})
    needs = frozenset(Need(word) for word in without)
    if print_config:
        if not upstream:
            raise click.UsageError("--print-config needs --upstream, the address of the scripted model")
        click.echo(
            manifests.text(Options(key="", models=models, without=needs, **settings), upstream=upstream), nl=False
        )
        return
    _require_listening(url)
    given = Options(key=key or _key(key_file), models=models, without=needs, **settings)
    results = _run(chosen, url=url, given=given, upstream=upstream)
    at = datetime.now(UTC)
    for path, text in ((report_file, report.as_markdown), (json_file, report.as_json)):
        if path is not None:
            path.write_text(text(results, name=name, at=at), encoding="utf-8")
    click.echo(report.summary(results), err=True)
    sys.exit(Exit.PROBLEMS if any(result.outcome is Outcome.FAIL for result in results) else Exit.OK)


def _chosen(only: Sequence[str]) -> Sequence[Check]:
    unknown = [word for word in only if not any(_named(check, word) for check in CHECKS)]
    if unknown:
        raise click.BadParameter(f"unknown checks: {', '.join(unknown)}; see --list", param_hint="--only")
    return [check for check in CHECKS if not only or any(_named(check, word) for word in only)]


def _named(check: Check, word: str) -> bool:
    return check.id == word or check.id.startswith(f"{word.rstrip('.')}.")


def _run(chosen: Sequence[Check], *, url: str, given: Options, upstream: str | None) -> list[Result]:
    results: list[Result] = []
    try:
        for result in suite.run(chosen, url=url, options=given, upstream=upstream):
            results.append(result)
            detail = "" if result.outcome is Outcome.PASS else f"\n      {result.evidence}"
            click.echo(f"{_MARKS[result.outcome]}  {result.check.id}{detail}")
    except UpstreamError as error:
        _cannot(
            f"the scripted model at {upstream} does not answer: {error}",
            fix="Check --upstream, and that the scripted model is running.",
        )
    return results


def _key(path: Path | None) -> str:
    try:
        return client_key.find(key_file=path)
    except Trouble as trouble:
        _cannot(trouble.message, fix=f"Pass --key-file FILE, or set ${options.KEY_VARIABLE}.")


def _require_listening(url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=10).close()
    except OSError as error:
        _cannot(f"nothing listens at {parts.netloc}: {error}", fix="Set the gateway's address with --url.")


def _cannot(message: str, *, fix: str) -> NoReturn:
    raise CannotRun(message, fix=fix) from None
