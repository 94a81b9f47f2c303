"""``crds``: prints the CustomResourceDefinitions for a cluster."""

from pathlib import Path

import click

from claude_gateway.api.crd import crd_yaml
from claude_gateway.cli import options
from claude_gateway.cli.errors import Trouble


@click.command(
    short_help="Print the CustomResourceDefinitions for a cluster.",
    epilog=options.epilog("claude-gateway crds | kubectl apply --server-side -f -", "claude-gateway crds -o crds"),
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file per kind into this folder instead of printing them.",
)
def crds(*, output: Path | None) -> None:
    """Print the CustomResourceDefinitions of ModelRoute, ClaudeCredential, GatewayClient and Budget."""
    files = crd_yaml()
    if output is None:
        click.echo("---\n".join(files.values()), nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (output / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Trouble(f"{output} cannot be written: {error.strerror}", fix="Choose another folder with -o.") from None
    click.echo(f"wrote {', '.join(str(output / name) for name in files)}", err=True)
