"""``models``: lists the model names that a client may use at a running gateway."""

import json
from pathlib import Path

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keys import client_key
from claude_gateway.cli.remote import probes, web
from claude_gateway.cli.terminal import printable


@click.command(
    short_help="List the models that a client may use.",
    epilog=options.epilog("claude-gateway models -f gateway", "claude-gateway models -f gateway --client ci"),
)
@options.files(required=False)
@options.key_options
@options.env_file()
@options.url()
def models(
    *, sources: tuple[Path, ...], client: str | None, key_file: Path | None, env_file: Path | None, url: str
) -> None:
    """List the model names that a client may use, one per line, with their display names.

    The gateway must be running: it is asked what it serves now. Names that only a pattern serves are not listed.
    """
    key = client_key.find(sources=sources, client=client, key_file=key_file, variables=options.variables(env_file))
    try:
        answer = web.fetch(f"{url}/v1/models?limit=1000", headers=probes.headers(key))
    except web.UnreachableError as error:
        fix = "Start one with `claude-gateway serve -f DIR`, or set its address with --url."
        raise Trouble(f"no gateway answers at {url}: {error}", fix=fix) from None
    if answer.status != 200:
        raise Trouble(f"{answer.status} {probes.message_of(answer.body)}", fix="Check --client and --key-file.")
    for model in json.loads(answer.body).get("data") or ():
        name, shown = str(model.get("id", "")), str(model.get("display_name") or "")
        click.echo(printable(name if shown in ("", name) else f"{name}  {shown}"))
