"""``make conformance``, ``make conformance-peers``: run the suite against gateways and keep what it found.

The results go to docs/conformance, from which ``make generate`` makes the published table. Exits 1 when our own
gateway fails a check; what the others do is reported, not judged.
"""

import re
import sys
from pathlib import Path
from typing import Final

from tests.peers import litellm, ours, page, router
from tests.peers.peer import Peer

OWN: Final = {"claude-gateway": ours.CODEC, "claude-gateway-litellm": ours.LITELLM}
GATEWAYS: Final[dict[str, Peer]] = {**OWN, "litellm": litellm.PEER, "claude-code-router": router.PEER}

_FOLDER: Final = re.compile(r"/[\w/.-]*/peer-\w+")


def main() -> int:
    """Run the suite against the gateways named on the command line."""
    failed = False
    for name in sys.argv[1:]:
        peer = GATEWAYS[name]
        print(f"conformance: {peer.name} ...", flush=True)
        page.RESULTS.mkdir(exist_ok=True)
        with peer.running() as gateway:
            done = gateway.run(*peer.arguments, "--name", peer.name, "--json", page.results(name))
        _hide_folders(page.results(name))
        print(done.stdout, done.stderr, sep="\n", flush=True)
        if done.returncode not in (0, 1):
            return 2
        failed |= name in OWN and done.returncode == 1
    return int(failed)


def _hide_folders(path: Path) -> None:
    """Take the temporary folder of a peer out of what it said."""
    if path.exists():
        path.write_text(_FOLDER.sub("~", path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
