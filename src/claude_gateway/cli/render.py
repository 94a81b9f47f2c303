"""``render``: prints or writes the bundle that the files produce, as the gateway and LiteLLM read it."""

import sys
from pathlib import Path

import click

from claude_gateway.cli import options
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.files import config, findings
from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.names import META_JSON


@click.command(
    short_help="Show the bundle that the files produce.",
    epilog=options.epilog(
        "claude-gateway render -f gateway",
        "claude-gateway render -f gateway -o build      # build/gateway.json, build/litellm.yaml, build/meta.json",
        "claude-gateway render -f gateway --with-secrets -o /dev/shm/bundle",
    ),
)
@options.files()
@options.env_file()
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the files into this folder instead of printing them.",
)
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Write the whole bundle including secret values (files 0600), in the layout that the agent watches. Needs -o.",
)
@options.installation
@options.client_certificates
def render(
    *,
    sources: tuple[Path, ...],
    env_file: Path | None,
    output: Path | None,
    with_secrets: bool,
    no_loopback: bool,
    allow_hosts: tuple[str, ...],
    forward_to: tuple[str, ...],
    client_certificates: bool,
) -> None:
    """Show the bundle that the files produce: gateway.json, litellm.yaml and meta.json.

    The same files always produce the same bytes. They contain no secret values, only the names of their entries.
    Mistakes are printed on standard error; everything valid is rendered nevertheless.
    """
    if with_secrets and output is None:
        raise click.UsageError("--with-secrets needs -o DIR: secret values are never printed")
    rules = config.settings(
        loopback=not no_loopback,
        allow_hosts=allow_hosts,
        forward_to=forward_to,
        client_certificates=client_certificates,
    )
    decision = config.load(sources, options.variables(env_file), rules=rules)
    for finding in decision.findings:
        click.echo(findings.text(finding), err=True)
    bundle = decision.plan.bundle
    if output is None:
        _print(bundle)
    elif with_secrets:
        _write_whole(bundle, output)
    else:
        _write(bundle, output)
    sys.exit(Exit.PROBLEMS if decision.errors else Exit.OK)


def entries(bundle: Bundle) -> dict[str, bytes]:
    """Return the public part by file name."""
    meta = bundle.meta.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
    return {**bundle.documents, META_JSON: meta}


def _print(bundle: Bundle) -> None:
    for name, data in entries(bundle).items():
        click.echo(f"==> {name} <==")
        click.echo(data.decode().rstrip("\n"))


def _write(bundle: Bundle, output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, data in entries(bundle).items():
            (output / name).write_bytes(data)
    except OSError as error:
        raise Trouble(f"{output} cannot be written: {error.strerror}", fix="Choose another folder with -o.") from None
    click.echo(f"wrote {', '.join(str(output / name) for name in entries(bundle))}", err=True)


def _write_whole(bundle: Bundle, output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True, mode=0o700)
        revision = folder.write(output, bundle)
    except OSError as error:
        raise Trouble(f"{output} cannot be written: {error.strerror}", fix="Choose another folder with -o.") from None
    click.echo(f"wrote revision {revision} with secret values into {output}", err=True)
