"""What is run against the conformance suite: a gateway with the scripted model behind it, and how it is asked."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from tests.support.processes.underway import Underway


class Peer(NamedTuple):
    """One column of the published table: its name, the suite's arguments, and what starts the gateway."""

    name: str
    arguments: tuple[str, ...]
    running: Callable[[], AbstractContextManager[Underway]]
