"""Requests in flight are counted by target, and targets without any are forgotten."""

from claude_gateway_proxy.gateway.routing.loads import Loads


def test_tries_are_counted_from_their_beginning_to_their_end() -> None:
    loads = Loads()
    loads.enter("a")
    loads.enter("a")
    loads.enter("b")
    assert [loads.of(target) for target in "abc"] == [2, 1, 0]
    loads.leave("a")
    loads.leave("b")
    assert [loads.of(target) for target in "abc"] == [1, 0, 0]
    assert loads._running == {"a": 1}
