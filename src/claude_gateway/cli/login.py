"""``login``: signs in to a credential with a Claude subscription, in a terminal."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.remote import signin
from claude_gateway.cli.remote.signin import Page
from claude_gateway.cli.terminal import printable

_LARGEST: Final = 65_536


@click.command(
    short_help="Sign in to a credential with a Claude subscription.",
    epilog=options.epilog(
        "claude-gateway login                                   # list the credentials",
        "claude-gateway login alice                             # sign in with the browser",
        "claude-gateway login alice --import ~/.claude/.credentials.json",
    ),
)
@click.argument("name", required=False)
@click.option(
    "--url",
    metavar="URL",
    envvar=signin.URL_VARIABLE,
    show_envvar=True,
    help=f"Address of the sign-in page. Default: that of your `serve` on this machine, else {signin.DEFAULT_URL}.",
)
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File with the key of the page. Default: ${signin.KEY_VARIABLE}, else that of your `serve`, else a question.",
)
@click.option(
    "--import",
    "login_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Store an existing login: a .credentials.json, or a file with a token of `claude setup-token`.",
)
@click.option("--check", is_flag=True, help="Ask Anthropic whether the login is valid; no model is asked.")
@click.option("--sign-out", is_flag=True, help="Remove the login, and revoke it where that is possible.")
@click.option("--take-over", is_flag=True, help="End a sign-in to this credential that somebody else began.")
def login(
    *,
    name: str | None,
    url: str | None,
    key_file: Path | None,
    login_file: Path | None,
    check: bool,
    sign_out: bool,
    take_over: bool,
) -> None:
    """Sign in to the credential NAME at a running sign-in page; without NAME, list the credentials.

    NAME is a ClaudeCredential with a subscription, with its namespace if two have the same name. A link is printed:
    open it in any browser, approve, and paste the code that it shows. The login is stored by the page, not here.
    """
    if sum((login_file is not None, check, sign_out)) > 1:
        raise click.UsageError("use only one of --import, --check and --sign-out")
    if name is None and (login_file is not None or check or sign_out):
        raise click.UsageError("name the credential")
    page = signin.connect(url, key_file)
    if name is None:
        _list(page)
        return
    credential = page.find(name)
    if check:
        found = page.act(credential, "check")
        click.echo(printable(f"{signin.shown(credential)}  {found['outcome']}  {found['message']}".rstrip()))
        sys.exit(Exit.OK if found["outcome"] == "ok" else Exit.PROBLEMS)
    if sign_out:
        _say(page.act(credential, "sign-out"))
    elif login_file is not None:
        _load(page, credential, login_file)
    else:
        _sign_in(page, credential, take_over=take_over)


def _list(page: Page) -> None:
    credentials = page.credentials()
    if not credentials:
        click.echo("no credentials with a subscription")
    for credential in credentials:
        _say(credential)


def _say(credential: Mapping[str, Any]) -> None:
    click.echo(printable(f"{signin.shown(credential)}  {credential['state']}  {credential['message']}"))


def _load(page: Page, credential: Mapping[str, Any], file: Path) -> None:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise Trouble(f"{file} cannot be read: {error.strerror}", fix="Check the path after --import.") from None
    if len(content) > _LARGEST:
        raise Trouble(f"{file} is too large for a login", fix="Use the .credentials.json of Claude Code.")
    _say(page.load(credential, content))
    click.echo(f"From now on the login is refreshed there: do not use {file} anywhere else.")


def _sign_in(page: Page, credential: Mapping[str, Any], *, take_over: bool) -> None:
    state = page.act(credential, "sign-in", {"takeOver": take_over})
    try:
        if state["phase"] == "link":
            click.echo(f"Open this link, and approve as {printable(str(credential['owner']))}:\n\n{state['link']}\n")
        while state["phase"] == "link":
            if state["message"]:
                click.echo(f"{state['message']} {state['nextStep']}", err=True)
            code = click.prompt("Code")
            state = page.act(credential, "code", {"id": state["id"], "code": code})
    except (click.Abort, KeyboardInterrupt):
        page.act(credential, "cancel", {"id": state["id"]})
        raise
    if state["phase"] != "stored":
        raise Trouble(str(state["message"] or "the sign-in did not end"), fix=str(state["nextStep"]))
    click.echo(f"Signed in to {signin.shown(credential)}.")
