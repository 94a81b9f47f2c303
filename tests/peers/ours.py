"""``claude-gateway serve`` with the configuration that the suite prints, on each of the lanes that translate."""

from functools import partial
from importlib.metadata import version
from typing import Final

from tests.peers.peer import Peer
from tests.support.processes.underway import SILENCE, ours

_NAME: Final = f"Claude Gateway {version('claude-gateway')}"
_ARGUMENTS: Final = ("--silence", str(SILENCE))

CODEC: Final = Peer(_NAME, _ARGUMENTS, ours)
LITELLM: Final = Peer(f"{_NAME} via LiteLLM", _ARGUMENTS, partial(ours, via="LiteLLM"))
