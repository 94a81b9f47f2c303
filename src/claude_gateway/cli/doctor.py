"""``doctor``: checks config and gateway, says what to fix, and sends a real prompt and tool call per route."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from claude_gateway.cli import addresses, options, samples
from claude_gateway.cli.checks import Check, CheckStatus, reported
from claude_gateway.cli.claudecode import old_settings
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.files import config, run_folder
from claude_gateway.cli.files.config import Decision
from claude_gateway.cli.files.findings import VARIABLE_NOT_SET, plural
from claude_gateway.cli.keys import client_key
from claude_gateway.cli.remote import live, probes, web
from claude_gateway.cli.remote.probes import Result
from claude_gateway.cli.terminal import printable
from claude_gateway.contract import client_keys
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.report import TargetFailure
from claude_gateway.contract.route import Route

_NO_LOGIN: Final = "its targets use the client's own login, which doctor does not have"


@click.command(
    short_help="Check config and gateway, with one real prompt and tool call per route.",
    epilog=options.epilog(
        "claude-gateway doctor -f gateway",
        "claude-gateway doctor -f gateway --client ci --model claude-sonnet-5-5",
        "claude-gateway doctor -f gateway --url https://llm.example.com --key-file key.txt",
    ),
)
@options.files()
@options.env_file()
@options.url()
@options.key_options
@click.option(
    "--model",
    "models",
    metavar="NAME",
    multiple=True,
    help="Test only these model names, each on the route that serves it. Repeatable. Default: one name per route.",
)
@click.option("--no-prompts", is_flag=True, help="Send no prompts, so that nothing is billed.")
@options.installation
@options.client_certificates
def doctor(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    url: str,
    client: str | None,
    key_file: Path | None,
    models: tuple[str, ...],
    no_prompts: bool,
    no_loopback: bool,
    allow_hosts: tuple[str, ...],
    forward_to: tuple[str, ...],
    client_certificates: bool,
) -> None:
    """Check config, gateway, keys and live revision, then send one real prompt and one tool call per route.

    Prints one line per check with PASS, FAIL, WARN or SKIP, and below it how to fix it. The prompts cost a few tokens.
    """
    variables = options.variables(env_file)
    rules = config.settings(
        loopback=not no_loopback,
        allow_hosts=allow_hosts,
        forward_to=forward_to,
        client_certificates=client_certificates,
    )
    decision = config.load(sources, variables, rules=rules)
    results = [*reported(_config(decision))]
    reachable = [*reported(_gateway(url))]
    results += reachable
    if any(check.status is CheckStatus.FAIL for check in reachable):
        sys.exit(Exit.PROBLEMS)
    results += reported(_revision(url, decision))
    results += reported(_settings())
    try:
        key = client_key.find(sources=sources, client=client, key_file=key_file, variables=variables)
    except Trouble as trouble:
        results += reported([Check(CheckStatus.FAIL, "key", trouble.message, trouble.fix)])
        sys.exit(Exit.PROBLEMS)
    accepted = [*reported(_key(url, key))]
    results += accepted
    if not no_prompts and all(check.status is not CheckStatus.FAIL for check in accepted):
        results += reported(_routes(url, key, decision.plan.policy, models=models, client=_client(decision, key)))
    failed = sum(check.status is CheckStatus.FAIL for check in results)
    click.echo(f"{plural(len(results), 'check')}, {failed} failed", err=True)
    sys.exit(Exit.PROBLEMS if failed else Exit.OK)


def _config(decision: Decision) -> Iterator[Check]:
    policy = decision.plan.policy
    for finding in decision.findings:
        named = "".join(f"{part}: " for part in (finding.about, finding.field) if part)
        seen = f"{finding.place}: {named}{finding.message}"
        # The running `serve` may have a variable that this shell does not have.
        soft = not finding.is_error or finding.reason == VARIABLE_NOT_SET
        yield Check(CheckStatus.WARN if soft else CheckStatus.FAIL, "config", seen, finding.fix)
    if not policy.clients:
        fix = "Create one: claude-gateway key new NAME --dir DIR."
        yield Check(CheckStatus.FAIL, "config", "there is no client key, so every request is rejected", fix)
    elif not decision.errors:
        seen = f"{plural(len(policy.routes), 'route')}, {plural(len(policy.clients), 'client')}"
        yield Check(CheckStatus.PASS, "config", seen)


def _gateway(url: str) -> Iterator[Check]:
    where = web.reachable_part(url)
    try:
        answer = web.fetch(f"{url}/readyz")
    except web.UnreachableError as error:
        fix = "Start it with `claude-gateway serve -f DIR`, or set its address with --url."
        yield Check(CheckStatus.FAIL, "gateway", f"nothing answers at {where}: {error}", fix)
        return
    if answer.status == 200:
        yield Check(CheckStatus.PASS, "gateway", f"ready at {where}")
        return
    port = where.rpartition(":")[2]
    owner = addresses.holder(int(port)) if port.isdigit() else None
    by = f" by {owner}" if owner else ""
    fix = (
        "See the output of `serve` for what it is waiting for."
        if answer.status == 503
        else f"The port is used{by}, which is not a gateway: set the gateway's address with --url."
    )
    yield Check(CheckStatus.FAIL, "gateway", f"{where} answers /readyz with {answer.status}", fix)


def _revision(url: str, decision: Decision) -> Iterator[Check]:
    """Check that the configuration in the files is live; works only for a ``serve`` of this user on this machine."""
    bundle = decision.plan.bundle
    serving = run_folder.find(url)
    report = live.status(serving.agent) if serving else None
    if report is None:
        yield Check(
            CheckStatus.SKIP, "revision", "the live revision is only known for your own `serve` on this machine"
        )
        return
    wanted = bundle.meta.revision
    if report.live == wanted:
        yield Check(CheckStatus.PASS, "revision", f"{wanted[:8]} is live")
        return
    if any(finding.reason == VARIABLE_NOT_SET for finding in decision.findings):
        yield Check(CheckStatus.SKIP, "revision", "unknown, because variables are not set in this shell")
        return
    why = live.refusal(report, wanted) or f"{(report.live or 'none')[:8]} is live, the files make {wanted[:8]}"
    fix = "Pass the same -f, --env-file, --no-loopback and --forward-to as to serve, or see the output of serve."
    yield Check(CheckStatus.FAIL, "revision", why, fix)


def _settings() -> Iterator[Check]:
    """Explain variables of Claude Code in this shell. None of them fails the gateway."""
    for check in old_settings.checks(os.environ, helper=True):
        if check.status is not CheckStatus.PASS:
            yield replace(check, status=CheckStatus.WARN)


def _key(url: str, key: str) -> Iterator[Check]:
    try:
        answer = web.fetch(f"{url}/v1/models?limit=1000", headers=probes.headers(key))
    except web.UnreachableError as error:
        yield Check(CheckStatus.FAIL, "key", f"no answer: {error}", "See the log of the gateway.")
        return
    if answer.status == 200:
        yield Check(CheckStatus.PASS, "key", "accepted by the gateway")
        return
    fix = "The gateway serves other files than these, or the key is outdated: check the client's Secret."
    yield Check(CheckStatus.FAIL, "key", f"{answer.status} {probes.message_of(answer.body)}", fix)


def _client(decision: Decision, key: str) -> Client | None:
    """Return the client that a key belongs to; None if the key is not in the files."""
    policy, bundle = decision.plan.policy, decision.plan.bundle
    if policy.client_keys is None:
        return None
    holder = client_keys.read(bundle.secrets[policy.client_keys]).get(hashlib.sha256(key.encode()).hexdigest())
    return next((client for client in policy.clients if holder is not None and client.name == holder.client), None)


def _routes(url: str, key: str, policy: Policy, *, models: Sequence[str], client: Client | None) -> Iterator[Check]:
    routes = samples.routes_for(policy, client)
    served = samples.Served(routes)
    names = [(served.winner(model) or "no route", model) for model in models]
    if not models:
        named = [(route, samples.name_for(route, served, client=client)) for route in routes]
        yield from (_unnamed(route) for route, name in named if not name)
        names = [(route.name, name) for route, name in named if name]
    own_login = {route.name for route in policy.routes if samples.takes_own_login(route)}
    for route, model in names:
        if route in own_login:
            yield Check(CheckStatus.SKIP, f"route {route}", _NO_LOGIN, "Test it with Claude Code after signing in.")
            continue
        for probe in probes.for_model(model):
            started = time.time()
            result = probe(url, key, model)
            status = CheckStatus.PASS if result.ok else CheckStatus.FAIL
            seen, fix = (result.seen, result.fix) if result.ok else _explained(result, url, route=route, since=started)
            yield Check(status, f"route {route}, {result.what} to {model}", seen, fix)


def _explained(result: Result, url: str, *, route: str, since: float) -> tuple[str, str]:
    """What was seen and how to fix it, with what each upstream said; known of a ``serve`` of this user only."""
    serving = run_folder.find(url)
    failures = live.failures(serving.socket, since=since) if serving else ()
    found = [failure for failure in failures if failure.target.startswith(f"{route}/")]
    if not found:
        return result.seen, result.fix
    seen = "; ".join((result.seen, *(printable(_said(failure)) for failure in found)))
    return seen, probes.REASONS.get(found[-1].reason or found[-1].kind, result.fix)


def _said(failure: TargetFailure) -> str:
    """What an upstream said, after the field that leads to it."""
    said = f" ({failure.said})" if failure.said else ""
    # `<index>.<hash>`, or `<rule>.<index>.<hash>`.
    parts = failure.target.rpartition("/")[2].split(".")
    at = f"spec.targets[{parts[0]}]" if len(parts) < 3 else f"rule {parts[0]}, targets[{parts[1]}]"
    return f"{at}: {failure.reason or failure.kind}{said}"


def _unnamed(route: Route) -> Check:
    shown = ", ".join(route.models)
    return Check(
        CheckStatus.SKIP,
        f"route {route.name}",
        f"no model name to test: {shown} are patterns or not allowed for this client, and the target accepts any name",
        "Choose a name with --model.",
    )
