"""What an import writes: our YAML to standard output, its notes to standard error, secrets to a file of their own."""

from pathlib import Path
from typing import Final

import click
import yaml

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import config, manifests
from claude_gateway.cli.importing import clients, secrets
from claude_gateway.cli.importing.draft import Draft
from claude_gateway.cli.importing.report import Report
from claude_gateway.cli.importing.secrets import Vault
from claude_gateway.cli.keys import client_key
from claude_gateway.names import Reason

_STAND_IN: Final = "stand-in-of-an-import"
_SOMEWHERE: Final = Path("imported.yaml")


def write(draft: Draft, report: Report, *, vault: Vault, secrets_file: Path | None) -> None:
    """Write everything. Raises Trouble if nothing was carried over, or if the secrets cannot be written."""
    if not draft.routes:
        click.echo(report.text(), err=True)
        raise Trouble(f"{report.path}: no model could be carried over", fix="Correct what is listed above.")
    text = str(yaml.safe_dump_all(draft.manifests(), sort_keys=False, width=110, allow_unicode=True))
    _check(text, report, vault)
    if secrets_file is not None:
        _write_secrets(secrets_file, vault)
    click.echo(text, nl=False)
    notes = report.text()
    if notes:
        click.echo(notes, err=True)
    _say_secrets(vault, secrets_file)


def _check(text: str, report: Report, vault: Vault) -> None:
    """Note what our own checks would say about the output, with every variable set."""
    documents = manifests.parse(text, path=_SOMEWHERE)
    filled = config.gathered(documents, {name: vault.value(name) or f"{_STAND_IN}-{name}" for name in vault.used})
    for finding in config.decide_on(filled, rules=config.settings()).findings:
        if finding.is_error and finding.reason != Reason.NOT_SIGNED_IN:
            report.lose(f"{finding.about} {finding.field}", finding.message, finding.fix)


def _write_secrets(path: Path, vault: Vault) -> None:
    if clients.NEW_KEY in vault.unset:
        vault.add(clients.NEW_KEY, client_key.make())
    secrets.write(path, vault.values)
    click.echo(f"wrote {path}, which only you can read: pass it with --env-file", err=True)


def _say_secrets(vault: Vault, secrets_file: Path | None) -> None:
    if vault.values and secrets_file is None:
        names = ", ".join(vault.values)
        click.echo(f"keys in the file are not printed: set {names}, or import again with --secrets FILE", err=True)
    if vault.unset:
        click.echo(f"not set yet: {', '.join(vault.unset)}", err=True)
