"""New files that only their owner may read."""

import os
from pathlib import Path


def create(path: Path, content: str | bytes) -> None:
    """Write a new file. Raises FileExistsError, also for a link, and OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
