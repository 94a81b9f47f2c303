"""``setup``: writes or checks a settings.json of Claude Code, and tries the gateway with it."""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from claude_gateway.cli import options, tools
from claude_gateway.cli.checks import Check, CheckStatus, reported
from claude_gateway.cli.claudecode import helper_checks, old_settings, settings_files
from claude_gateway.cli.claudecode.settings_files import Settings
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.files import small_files
from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.keyhelper.options import DURATIONS, TTL_VARIABLE
from claude_gateway.cli.remote import probes, web
from claude_gateway.cli.run import find_program
from claude_gateway.cli.terminal import printable

_BASE_URL: Final = "ANTHROPIC_BASE_URL"
_TOKEN: Final = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - a variable's name
_API_KEY: Final = "ANTHROPIC_API_KEY"
_CONTEXT: Final = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
_RIVALS: Final = (_TOKEN, _API_KEY, "CLAUDE_CODE_OAUTH_TOKEN")
"""Variables with a credential. Claude Code sends the first instead of what the helper prints, or next to it."""
_PROMPT_SECONDS: Final = 180.0
_CHEAP: Final = "claude-haiku-5-5"
_PROMPT: Final = "Answer with the one word: pong"
_THROUGH: Final = "prompt through Claude Code"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Which model to ask; None: Claude Code's own. ``over_http``: without Claude Code, even if it is installed."""

    model: str | None
    over_http: bool


@click.command(
    short_help="Write or check a settings.json of Claude Code, and try it.",
    epilog=options.epilog(
        "claude-gateway setup --url https://llm.example.com --helper 'claude-gateway key-helper vault cg/alice'",
        "claude-gateway setup --url https://llm.example.com --key-file ~/.config/claude-gateway/key",
        "claude-gateway setup --check",
    ),
)
@click.option("--url", metavar="URL", envvar=options.URL_VARIABLE, show_envvar=True, help="Address of the gateway.")
@click.option("--helper", metavar="COMMAND", help="The command that prints the key, such as one of key-helper.")
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the key, for you alone; the helper is then `cat FILE`.",
)
@click.option("--ttl", metavar="DURATION", type=DURATIONS, help=f"How long Claude Code keeps a key: {TTL_VARIABLE}.")
@click.option(
    "--context-tokens", metavar="N", type=click.IntRange(1000, 100_000_000), help=f"Context window: {_CONTEXT}."
)
@click.option(
    "--settings",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file. Default: ~/.claude/settings.json, or in $CLAUDE_CONFIG_DIR.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing: only check what is there.")
@click.option("--no-prompts", is_flag=True, help="Send no prompt, so that nothing is billed.")
@click.option("--http", "over_http", is_flag=True, help="Send the prompt over HTTP, not through Claude Code.")
@click.option("--model", metavar="NAME", help="Model of the prompt. Default: Claude Code's own.")
def setup(
    *,
    url: str | None,
    helper: str | None,
    key_file: Path | None,
    ttl: float | None,
    context_tokens: int | None,
    file: Path | None,
    only_check: bool,
    no_prompts: bool,
    over_http: bool,
    model: str | None,
) -> None:
    """Write the gateway into a settings.json of Claude Code, then check everything that decides whether it works.

    Other settings in the file stay, and a copy of the file as it was is kept next to it. Running it again changes
    nothing. The checks: the file, what overrides it (managed and project settings, the environment), the helper and
    its key, old settings, the gateway, and one prompt, through Claude Code if it is installed.
    """
    if helper and key_file:
        raise click.UsageError("use either --helper or --key-file")
    path = (file or settings_files.user_file(os.environ)).expanduser()
    settings = settings_files.read(path)
    if key_file is not None:
        helper = f"cat {shlex.quote(str(key_file.absolute()))}"
    if only_check:
        if any(value is not None for value in (url, helper, ttl, context_tokens)):
            raise click.UsageError("--check changes nothing: use it without --url, --helper, --key-file and values")
    else:
        env = _wanted(url or settings.env.get(_BASE_URL), ttl=ttl, context_tokens=context_tokens)
        _write(settings, env, helper or settings.helper)
        settings = settings_files.read(path)
    prompt = None if no_prompts else Prompt(model, over_http)
    results = _check(settings, prompt)
    failed = sum(check.status is CheckStatus.FAIL for check in results)
    click.echo(f"{plural(len(results), 'check')}, {failed} failed", err=True)
    sys.exit(Exit.PROBLEMS if failed else Exit.OK)


def _wanted(url: str | None, *, ttl: float | None, context_tokens: int | None) -> dict[str, str]:
    """Return the ``env`` block; never a key."""
    if not url:
        raise click.UsageError("pass --url, the address of the gateway")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} must begin with http:// or https://", param_hint="--url")
    url = url.rstrip("/").removesuffix("/v1")
    env = {setting.name: setting.value for setting in tools.claude(url, "") if setting.name != _TOKEN}
    env["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"] = "1"
    env["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] = "1"
    if ttl is not None:
        env[TTL_VARIABLE] = str(round(ttl * 1000))
    if context_tokens is not None:
        env[_CONTEXT] = str(context_tokens)
    return env


def _write(settings: Settings, env: Mapping[str, str], helper: str | None) -> None:
    if helper is None and not settings.env.get(_TOKEN):
        raise click.UsageError("pass --helper COMMAND or --key-file FILE, so that Claude Code has a key")
    without = (_TOKEN, _API_KEY) if helper is not None else ()
    text = settings_files.merged(settings, env=env, helper=helper, without=without)
    if text == settings.text:
        click.echo(f"{settings.path}: nothing to change")
        return
    if settings.text is not None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        backup = settings.path.with_name(f"{settings.path.name}.{stamp}.bak")
        small_files.replace(
            backup, settings.text, what="the copy of the settings", mode=settings_files.mode(settings.path)
        )
        click.echo(f"{backup}: the settings as they were")
    small_files.replace(settings.path, text, what="the settings file", mode=settings_files.mode(settings.path))
    click.echo(f"{settings.path}: points Claude Code at {env[_BASE_URL]}")


def _check(settings: Settings, prompt: Prompt | None) -> list[Check]:
    """Check from the file to the answer; what cannot work after a failure is not tried."""
    # The file's env block overrides the shell.
    variables = {**os.environ, **settings.env}
    results = [*reported(_file(settings)), *reported(_overrides(settings))]
    results += reported(old_settings.checks(variables, helper=settings.helper is not None))
    key, found = _key(settings, variables)
    results += reported(found)
    url = settings.env.get(_BASE_URL) or os.environ.get(_BASE_URL, "")
    if key is None or not url:
        return results
    reached = list(reported(_gateway(url, key)))
    results += reached
    if prompt is not None and all(check.status is not CheckStatus.FAIL for check in reached):
        results += reported([_prompt(settings, url, key, prompt)])
    return results


def _file(settings: Settings) -> Iterator[Check]:
    name = str(settings.path)
    if settings.text is None:
        yield Check(CheckStatus.FAIL, "settings", f"{name} does not exist", "Write it: claude-gateway setup --url URL.")
        return
    url = settings.env.get(_BASE_URL)
    if not url:
        fix = "Write it: claude-gateway setup --url URL."
        yield Check(CheckStatus.FAIL, "settings", f"{name} has no env.{_BASE_URL}", fix)
    elif url.rstrip("/").endswith("/v1"):
        fix = "Remove /v1 at the end: Claude Code adds it."
        yield Check(CheckStatus.WARN, "settings", f"env.{_BASE_URL} ends in /v1", fix)
    else:
        yield Check(CheckStatus.PASS, "settings", f"{name} points at {printable(url)}")
    secret = next((each for each in _RIVALS if settings.env.get(each)), None)
    if secret and settings_files.mode(settings.path) & 0o077:
        fix = f"chmod go= {shlex.quote(name)}, and replace the key."
        yield Check(CheckStatus.FAIL, "settings", f"{name} holds a key (env.{secret}) and others can read it", fix)


def _overrides(settings: Settings) -> Iterator[Check]:
    """What wins over the file: other settings files, and credentials in the environment."""
    for other in settings_files.above(Path.cwd(), settings_files.managed_folder()):
        if other.path.resolve() == settings.path.resolve():
            continue
        differing = [name for name, value in settings.env.items() if other.env.get(name, value) != value]
        differing += [name for name in _RIVALS if other.env.get(name) and name not in settings.env]
        if other.helper is not None and other.helper != settings.helper:
            differing.append(helper_checks.NAME)
        if differing:
            seen = f"{other.path} wins over this file: {', '.join(differing)}"
            yield Check(CheckStatus.FAIL, "overrides", seen, "Change it there, or ask who manages that file.")
    for name in _RIVALS:
        if os.environ.get(name) and name not in settings.env and settings.helper is not None:
            seen = f"{name} is set in this shell, and Claude Code may send it instead of the helper's key"
            yield Check(CheckStatus.FAIL, "overrides", seen, f"unset {name}, also in your shell's profile.")
    url = os.environ.get(_BASE_URL)
    if url and settings.env.get(_BASE_URL, url) != url:
        seen = f"{_BASE_URL} in this shell is {printable(url)}; the settings file wins, other programs use the shell's"
        yield Check(CheckStatus.WARN, "overrides", seen, f"unset {_BASE_URL}")


def _key(settings: Settings, variables: Mapping[str, str]) -> tuple[str | None, list[Check]]:
    """Return the key that Claude Code sends."""
    token = settings.env.get(_TOKEN) or os.environ.get(_TOKEN)
    if settings.helper is None:
        if token:
            return token, []
        fix = "Add a helper: claude-gateway setup --helper COMMAND, or --key-file FILE."
        return None, [Check(CheckStatus.FAIL, "key", f"neither {helper_checks.NAME} nor {_TOKEN} is set", fix)]
    found = list(helper_checks.of_command(settings.helper))
    if any(check.status is CheckStatus.FAIL and "execut" in check.seen for check in found):
        return None, found
    key, seen = helper_checks.run(settings.helper, variables)
    return None if key is None else key.value, [*found, *seen]


def _gateway(url: str, key: str) -> Iterator[Check]:
    where = web.reachable_part(url)
    try:
        ready = web.fetch(f"{url}/readyz")
        if ready.status != 200:
            fix = "It is starting, or this is not the gateway's address."
            yield Check(CheckStatus.FAIL, "gateway", f"{where} answers /readyz with {ready.status}", fix)
            return
        answer = web.fetch(f"{url}/v1/models?limit=1000", headers=probes.headers(key))
    except web.UnreachableError as error:
        fix = "Check the address, the network and the VPN."
        yield Check(CheckStatus.FAIL, "gateway", f"nothing answers at {where}: {error}", fix)
        return
    yield Check(CheckStatus.PASS, "gateway", f"ready at {where}")
    if answer.status == 200:
        yield Check(CheckStatus.PASS, "key", "accepted by the gateway")
    else:
        fix = "Ask who runs the gateway for a new key; a helper may print one that was replaced."
        yield Check(CheckStatus.FAIL, "key", f"{answer.status} {probes.message_of(answer.body)}", fix)


def _prompt(settings: Settings, url: str, key: str, prompt: Prompt) -> Check:
    """Send one prompt: through Claude Code with this file, or over HTTP if it is not installed."""
    claude = None if prompt.over_http else _claude()
    if claude is None:
        result = probes.prompt(url, key, prompt.model or _CHEAP)
        status = CheckStatus.PASS if result.ok else CheckStatus.FAIL
        return Check(status, "prompt over HTTP", result.seen, result.fix)
    model = ["--model", prompt.model] if prompt.model else []
    started = time.monotonic()
    command = [
        claude,
        "--settings",
        str(settings.path.absolute()),
        *model,
        "-p",
        _PROMPT,
    ]
    # Not here: the settings of the project in this folder were looked at already.
    try:
        with tempfile.TemporaryDirectory() as folder:
            code, said = _run(command, folder)
    except OSError as error:
        # Such as what npm leaves where it may run no scripts.
        fix = "Install Claude Code again, or pass --http."
        return Check(CheckStatus.FAIL, _THROUGH, f"{claude} cannot be started: {error.strerror}", fix)
    took = time.monotonic() - started
    if code == 0:
        return Check(CheckStatus.PASS, _THROUGH, f"{printable(said[:40])!r} after {took:.1f} s")
    fix = "See what the gateway's log says about this request."
    return Check(CheckStatus.FAIL, _THROUGH, f"exit code {code}: {printable(said[-300:])}", fix)


def _claude() -> str | None:
    try:
        return find_program(tools.CLAUDE)
    except Trouble:
        return None


def _run(command: Sequence[str], folder: str) -> tuple[int | str, str]:
    try:
        done: Any = subprocess.run(  # noqa: S603 - Claude Code, found on PATH
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROMPT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "none", f"no answer within {_PROMPT_SECONDS:g} s"
    return done.returncode, (done.stdout.strip() or done.stderr.strip())
