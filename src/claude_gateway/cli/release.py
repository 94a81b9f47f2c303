"""``release``: continues a session that the brake stopped."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keys import client_key
from claude_gateway.cli.remote import probes, web
from claude_gateway.cli.terminal import printable

_TRIES: Final = 8
"""Connections over which it is asked: with several pods behind one address, each connection may reach another one."""


@click.command(
    short_help="Continue a session that the brake stopped.",
    epilog=options.epilog(
        "claude-gateway release 0b8f1c2e-5d1a-4c53-9f0e-2f6a1f6f2f10 -f gateway",
        "claude-gateway release 0b8f1c2e-5d1a-4c53-9f0e-2f6a1f6f2f10 --url https://gateway.example.com",
    ),
)
@click.argument("session")
@options.files(required=False)
@options.key_options
@options.env_file()
@options.url()
def release(
    *,
    session: str,
    sources: tuple[Path, ...],
    client: str | None,
    key_file: Path | None,
    env_file: Path | None,
    url: str,
) -> None:
    """Release a SESSION: what it and its agents used until now counts no longer.

    The message of a stop names the session, and so does the gateway's log. The key must be of the client and the person
    whose session it is. Each pod counts for itself: with several, list the session in `spec.brake.released` of the
    GatewayClient to release it on all of them.
    """
    key = client_key.find(sources=sources, client=client, key_file=key_file, variables=options.variables(env_file))
    address = f"{url}/v1/sessions/{quote(session, safe='')}/release"
    answers = [_ask(address, url=url, key=key) for _ in range(_TRIES)]
    if all(answer.status != 200 for answer in answers):
        raise Trouble(
            f"{answers[-1].status} {probes.message_of(answers[-1].body)}",
            fix="Use the id that the message names, and the key that the session was started with.",
        )
    click.echo(printable(f"Session {session} is released."))


def _ask(address: str, *, url: str, key: str) -> web.Answer:
    try:
        return web.fetch(address, method="POST", headers=probes.headers(key), body=b"")
    except web.UnreachableError as error:
        fix = "Start one with `claude-gateway serve -f DIR`, or set its address with --url."
        raise Trouble(f"no gateway answers at {url}: {error}", fix=fix) from None
