"""The garbage collector in processes that decide."""

import gc

from claude_gateway.garbage import collect_rarely


def test_the_collector_runs_rarely() -> None:
    before = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.get_threshold()[0] > 100 * before[0]
    finally:
        gc.set_threshold(*before)
