"""The ``claude-gateway`` command inside a test, and folders of YAML for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from click.testing import CliRunner

from claude_gateway.cli.__main__ import cli


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def call(*arguments: str | Path, environment: Mapping[str, str | None] | None = None) -> Outcome:
    """Run a command in this process; ``environment`` is added, None takes a variable away."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def write(path: Path, *manifests: object) -> Path:
    """Write manifests as one YAML file; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # YAML knows no enums, JSON takes them as text.
    path.write_text(yaml.safe_dump_all(json.loads(json.dumps(manifests)), sort_keys=False))
    return path
