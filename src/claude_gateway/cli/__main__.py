"""``claude-gateway``: the command line for users and for authors of routes."""

import sys
from importlib.metadata import version

import click

from claude_gateway.cli import options
from claude_gateway.cli.claudecode.command import setup
from claude_gateway.cli.conformance import conformance
from claude_gateway.cli.crds import crds
from claude_gateway.cli.doctor import doctor
from claude_gateway.cli.env import env
from claude_gateway.cli.errors import Exit
from claude_gateway.cli.explain import explain
from claude_gateway.cli.import_ import import_
from claude_gateway.cli.keyhelper.command import key_helper
from claude_gateway.cli.keys.command import key
from claude_gateway.cli.lint import lint
from claude_gateway.cli.login import login
from claude_gateway.cli.models import models
from claude_gateway.cli.release import release
from claude_gateway.cli.render import render
from claude_gateway.cli.run import run
from claude_gateway.cli.serving.command import serve
from claude_gateway.cli.spending.command import spend
from claude_gateway.cli.status import status
from claude_gateway.cli.top import top
from claude_gateway.garbage import collect_rarely


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=options.epilog(
        "claude-gateway key new me -o gateway/me.yaml     # a client key",
        "claude-gateway serve -f gateway                  # serve the routes in gateway/*.yaml",
        "claude-gateway run -f gateway -- claude          # Claude Code, pointed at the gateway",
    ),
)
@click.version_option(version("claude-gateway"), prog_name="claude-gateway")
def cli() -> None:
    """One address for Claude Code and every other LLM client: serve routes written in YAML, and check them."""


for _command in (
    serve,
    login,
    lint,
    status,
    models,
    render,
    doctor,
    env,
    run,
    setup,
    key,
    key_helper,
    import_,
    explain,
    top,
    release,
    spend,
    crds,
    conformance,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and exit with its exit code; Ctrl-C gives 130, as shells expect."""
    collect_rarely()
    try:
        result = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("claude-gateway: stopped", err=True)
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) closed the pipe; Python would raise again when it flushes at exit.
        sys.stderr.close()
        sys.exit(Exit.OK)
    sys.exit(result if isinstance(result, int) else Exit.OK)


if __name__ == "__main__":
    main()
