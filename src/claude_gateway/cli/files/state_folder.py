"""The folder that outlives a run of ``serve``: logins, and what requests cost."""

import os
from pathlib import Path


def default() -> Path:
    """Return where state is kept by default."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "claude-gateway"
