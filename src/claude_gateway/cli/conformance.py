"""``conformance``: the contract of a gateway for Claude Code, checked against any gateway from outside."""

import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import click

from claude_gateway.cli import clientkey, options
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.conformance import manifests, report, suite
from claude_gateway.conformance.check import Check, Need, Result, Verdict
from claude_gateway.conformance.checks import CHECKS
from claude_gateway.conformance.options import Models, Options
from claude_gateway.conformance.upstream import UpstreamError

_MARKS: Final = {Verdict.PASS: "PASS", Verdict.FAIL: "FAIL", Verdict.NOT_APPLICABLE: "N/A "}
_EXAMPLES: Final = options.epilog(
    "claude-gateway conformance --print-config --upstream http://127.0.0.1:4001 > gateway/conformance.yaml",
    "claude-gateway conformance --url http://127.0.0.1:4000 --upstream http://127.0.0.1:4001 --report out.md",
    "claude-gateway conformance --url https://llm.example.com --key-file key.txt --without bedrock --without vertex",
    "claude-gateway conformance --only stream --only errors.key.unknown",
).replace(options.EXIT_CODES, "Exit codes: 0 nothing failed, 1 a check failed, 2 the suite could not run.")


class CannotRun(Trouble):
    """Ends the command with exit code 2: the suite says nothing about the gateway."""

    exit_code = int(Exit.USAGE)


def _model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option per model name, in the order in which they are written down."""
    for item in reversed(fields(Models)):
        flag = item.name.replace("_", "-")
        flag = f"--{flag}" if flag.endswith(("-id", "-arn")) else f"--{flag}-model"
        told = str(item.metadata["help"])
        text = f"{told[0].upper()}{told[1:]}; empty: there is none."
        command = click.option(
            flag, f"model_{item.name}", default=item.default, metavar="NAME", show_default=True, help=text
        )(command)
    return command


@click.command(short_help="Check any gateway against the contract that Claude Code needs.", epilog=_EXAMPLES)
@options.url()
@click.option(
    "--key",
    metavar="KEY",
    help=f"The client key. Others on this machine see it in the list of processes: better ${options.KEY_VARIABLE} or "
    "--key-file.",
)
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File that holds the client key and nothing else. Without it: ${options.KEY_VARIABLE}.",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="Control face of the scripted model behind the gateway. Without it, what arrives upstream is not checked.",
)
@click.option(
    "--report", "report_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Markdown."
)
@click.option("--json", "json_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="JSON.")
@click.option("--only", metavar="ID", multiple=True, help="Only this check, or all whose ids begin so. Repeatable.")
@click.option(
    "--without",
    metavar="WHAT",
    type=click.Choice([need.value for need in Need]),
    multiple=True,
    help=f"What the gateway does not claim; checks that need it are not applicable. One of {', '.join(Need)}.",
)
@click.option("--list", "list_only", is_flag=True, help="List the checks, and run none.")
@click.option(
    "--print-config",
    is_flag=True,
    help="Print the YAML that Claude Gateway is tested with, its upstream at --upstream, and run no check.",
)
@click.option("--name", default="the gateway", show_default=True, help="How the report names the gateway.")
@click.option(
    "--silence",
    type=click.FloatRange(min=0.5),
    default=35.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the upstream is silent where a ping must come.",
)
@click.option(
    "--max-output-tokens",
    type=int,
    default=8192,
    show_default=True,
    help="The most that the gateway lets the model of --other-model give.",
)
@click.option(
    "--key-header",
    default="x-gateway-key",
    show_default=True,
    metavar="NAME",
    help="Header for the gateway's key where Authorization is the client's own login.",
)
@click.option(
    "--bedrock-base", default="", metavar="PATH", help="Where Bedrock's /model/... begins. Default: the root."
)
@click.option("--bedrock-prefix", default="/bedrock", show_default=True, metavar="PATH", help="Where it begins too.")
@click.option(
    "--vertex-base", default="/v1", show_default=True, metavar="PATH", help="Where Vertex's /projects begins."
)
@click.option("--vertex-prefix", default="/vertex/v1", show_default=True, metavar="PATH", help="Where it begins too.")
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
    """Check any gateway, ours or another, against the contract that Claude Code needs, and say why for each check.

    Behind the gateway stands the scripted model (`python -m claude_gateway_scripted`), which the suite asks what it
    received and tells what to answer: use one that serves nobody else. Checks run one after another, a few minutes in
    all. Without --upstream they run against whatever is there, and cost what some short prompts cost.
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
            raise click.UsageError("--print-config needs --upstream: where the gateway finds the scripted model")
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
    sys.exit(Exit.PROBLEMS if any(result.verdict is Verdict.FAIL for result in results) else Exit.OK)


def _chosen(only: Sequence[str]) -> Sequence[Check]:
    unknown = [word for word in only if not any(_named(check, word) for check in CHECKS)]
    if unknown:
        raise click.BadParameter(f"no check is called so: {', '.join(unknown)}; see --list", param_hint="--only")
    return [check for check in CHECKS if not only or any(_named(check, word) for word in only)]


def _named(check: Check, word: str) -> bool:
    return check.id == word or check.id.startswith(f"{word.rstrip('.')}.")


def _run(chosen: Sequence[Check], *, url: str, given: Options, upstream: str | None) -> list[Result]:
    results: list[Result] = []
    try:
        for result in suite.run(chosen, url=url, options=given, upstream=upstream):
            results.append(result)
            detail = "" if result.verdict is Verdict.PASS else f"\n      {result.evidence}"
            click.echo(f"{_MARKS[result.verdict]}  {result.check.id}{detail}")
    except UpstreamError as error:
        _cannot(f"the scripted model at {upstream} does not answer: {error}", fix="Check --upstream, and that it runs.")
    return results


def _key(path: Path | None) -> str:
    try:
        return clientkey.find(key_file=path)
    except Trouble as trouble:
        _cannot(trouble.message, fix=f"Give --key-file FILE or ${options.KEY_VARIABLE}.")


def _require_listening(url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=10).close()
    except OSError as error:
        _cannot(f"nothing listens at {parts.netloc}: {error}", fix="Say where the gateway is with --url.")


def _cannot(message: str, *, fix: str) -> NoReturn:
    raise CannotRun(message, fix=fix) from None
