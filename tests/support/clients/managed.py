"""The genuine CLI on a machine of an organisation: with a managed settings file, which has one place per machine.

The file is in a copy of ``/etc`` that only the CLI sees, in a mount namespace of its own (Linux; no rights are needed
where users may make namespaces).
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_RUN: Final = 'mount --bind "$1" /etc && shift && exec "$@"'


def command(folder: Path, settings: Mapping[str, Any], program: Path) -> Sequence[str]:
    """Return the command that runs a program under these settings; ``folder`` gets the machine's ``/etc``."""
    etc = folder / "etc"
    own = etc / "claude-code"
    own.mkdir(parents=True)
    for place in Path("/etc").iterdir():
        # What resolves names and users, and the certificates; the rest of the machine is not needed.
        if place.name in ("hosts", "resolv.conf", "nsswitch.conf", "passwd", "group", "localtime"):
            (etc / place.name).write_bytes(place.read_bytes())
    (own / "managed-settings.json").write_text(json.dumps(settings))
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    return [*namespace, "sh", "-c", _RUN, "sh", str(etc), str(program)]
