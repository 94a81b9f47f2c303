"""``claude-gateway serve`` with the configuration that the suite prints."""

from importlib.metadata import version
from typing import Final

from tests.support.processes.underway import SILENCE, ours

NAME: Final = f"Claude Gateway {version('claude-gateway')}"
ARGUMENTS: Final = ("--silence", str(SILENCE))
running = ours
