"""``import``: prints our YAML for the configuration of another gateway, and reports what is different."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from claude_gateway.cli import options
from claude_gateway.cli.files import envfile
from claude_gateway.cli.importing import ccr as of_ccr
from claude_gateway.cli.importing import envproxy, output, yamlfile
from claude_gateway.cli.importing import litellm as of_litellm
from claude_gateway.cli.importing.report import Report
from claude_gateway.cli.importing.secrets import Vault

F = TypeVar("F", bound=Callable[..., Any])


@click.group("import", short_help="Turn another gateway's configuration into YAML.", epilog=options.EXIT_CODES)
def import_() -> None:
    """Print our YAML for the configuration of another gateway.

    Standard error lists what is unnecessary here, and what could not be carried over as it was, each with the reason
    and the fix. Secret values are never printed: Secrets refer to variables.
    """


def _source(command: F) -> F:
    """FILE, ``--env-file``, ``--secrets``: what every import takes."""
    for option in (
        click.option(
            "--secrets",
            "secrets_file",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write keys that are in the file itself to this new file (0600), for --env-file of serve and lint.",
        ),
        options.env_file(),
        click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    ):
        command = option(command)
    return command


@import_.command(
    epilog=options.epilog(
        "claude-gateway import litellm litellm_config.yaml > gateway/imported.yaml",
        "claude-gateway import litellm config.yaml --secrets .env > gateway/imported.yaml",
        "claude-gateway import litellm config.yaml --owner me@example.com    # models that ask Claude Code",
    )
)
@_source
@click.option("--owner", metavar="PERSON", help="Whose Claude subscription replaces a `custom_provider_map`.")
def litellm(*, path: Path, env_file: Path | None, secrets_file: Path | None, owner: str | None) -> None:
    """Import FILE, the `config.yaml` of LiteLLM's proxy.

    References such as `os.environ/NAME` become `$NAME`. An address in a variable is filled in from the environment or
    from --env-file.
    """
    document = yamlfile.read(path)
    report = Report(path, document)
    vault = Vault(options.variables(env_file), makes_keys=secrets_file is not None)
    draft = of_litellm.convert(document.manifest, report, vault=vault, owner=owner)
    output.write(draft, report, vault=vault, secrets_file=secrets_file)


@import_.command(
    epilog=options.epilog(
        "claude-gateway import env .env > gateway/imported.yaml",
        "claude-gateway serve -f gateway --env-file .env     # the keys stay in the .env",
    )
)
@_source
def env(*, path: Path, env_file: Path | None, secrets_file: Path | None) -> None:
    """Import FILE, the `.env` of claude-code-proxy or one of its forks.

    It maps Claude Code's models to others: BIG_MODEL, MIDDLE_MODEL, SMALL_MODEL, THINKER_MODEL, PREFERRED_PROVIDER.
    The keys stay where they are: pass the same file to serve and lint with --env-file.
    """
    values = envfile.read(path)
    report = Report(path, lines=envfile.lines(path))
    vault = Vault({**options.variables(env_file), **values}, makes_keys=secrets_file is not None)
    draft = envproxy.convert(values, report, vault=vault)
    output.write(draft, report, vault=vault, secrets_file=secrets_file)


@import_.command(
    epilog=options.epilog(
        "claude-gateway import ccr ~/.claude-code-router/config.json > gateway/imported.yaml",
        "claude-gateway import ccr config.json --secrets .env > gateway/imported.yaml",
    )
)
@_source
def ccr(*, path: Path, env_file: Path | None, secrets_file: Path | None) -> None:
    """Import FILE, the `config.json` of claude-code-router.

    Providers become credentials, and the Router's default, background, think, longContext, webSearch and image become
    routes and rules. Comments and trailing commas in the file are accepted.
    """
    document = yamlfile.read(path, json=True)
    report = Report(path, document)
    vault = Vault(options.variables(env_file), makes_keys=secrets_file is not None)
    draft = of_ccr.convert(document.manifest, report, vault=vault)
    output.write(draft, report, vault=vault, secrets_file=secrets_file)
