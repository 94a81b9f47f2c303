"""The refresher alone, as a process that can be killed at once and started again in milliseconds."""

import asyncio
import json
import multiprocessing
from collections.abc import Mapping
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from tests.support.processes.signin import LOGIN

from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.home import Homes
from claude_gateway_auth.login_writer import LoginWriter
from claude_gateway_auth.metrics import Metrics
from claude_gateway_auth.refresh import Refresher
from claude_gateway_auth.store.folder import FolderStore

_FORK: Final = multiprocessing.get_context("forkserver")
"""Forks of a process that has imported everything: not of the tests, which have threads."""


def refresher(folder: Path, environment: Mapping[str, str]) -> BaseProcess:
    """Return a refresher on the folders of the sign-in service, to be started."""
    _FORK.set_forkserver_preload([__name__])
    (folder / "credentials.json").write_text(json.dumps([LOGIN]))
    return _FORK.Process(target=_run, args=(folder, dict(environment)), daemon=True)


def _run(folder: Path, environment: Mapping[str, str]) -> None:
    writer = LoginWriter(FolderStore(folder / "state", folder / "credentials.json"))
    homes = Homes(folder / "run")
    cli = Cli.find(None, environment)
    refresher = Refresher(writer, homes, cli, early=timedelta(hours=1), metrics=Metrics())
    asyncio.run(refresher.run())
