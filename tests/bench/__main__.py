"""``make bench``: measure what the architecture promises, goal and measured side by side, into docs/benchmarks.md.

Load goes to loopback only and is bounded in count and time: about twelve minutes in all. Exits 1 when a goal is missed.
"""

import os
import sys
import time
from collections.abc import Sequence
from typing import Final

import psutil
import uvloop
from tests.bench import (
    bench_decide,
    claude_code,
    codec_lane,
    edits,
    failover,
    identity,
    limits,
    litellm_lane,
    relay,
    routing,
    startup,
    streams,
)
from tests.bench.report import Row, table, write
from tests.bench.stack import LOAD_CORES, Stack

_LOADED: Final = {
    "relay": relay.rows,
    "limits": limits.rows,
    "streams": streams.rows,
    "codec": codec_lane.rows,
    "litellm": litellm_lane.rows,
    "failover": failover.rows,
    "edits": edits.rows,
}
_QUICK: Final = {
    "identity": identity.rows,
    "routing": routing.rows,
    "startup": startup.rows,
    "decide": bench_decide.rows,
    "claude_code": claude_code.rows,
}


def main() -> int:
    """Run all benchmarks, or those named on the command line (which then do not write the page)."""
    psutil.Process(os.getpid()).cpu_affinity(LOAD_CORES)
    began = time.monotonic()
    wanted = set(sys.argv[1:])
    rows: list[Row] = []
    for name in (*_LOADED, *_QUICK):
        if not wanted or name in wanted:
            print(f"bench: {name} ...", file=sys.stderr, flush=True)
            found = _measured(name)
            rows += found
            # A later benchmark may fail, and these took minutes.
            print("\n".join(f"  {row.what}: {row.measured}" for row in found), file=sys.stderr, flush=True)
    print(table(rows))
    if not wanted:
        write(rows, minutes=(time.monotonic() - began) / 60)
    return int(any(row.met is False for row in rows))


def _measured(name: str) -> Sequence[Row]:
    if name in _QUICK:
        return _QUICK[name]()
    with Stack() as stack:
        return uvloop.run(_LOADED[name](stack))


if __name__ == "__main__":
    sys.exit(main())
