"""Which revisions the operator remembers: those that a pod serves or may still be loading."""

from claude_gateway_operator.revisions import LOADING_SECONDS, MOST_LOADING, Revisions


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def remembered(clock: Clock, *written: str, served: str = "r0") -> Revisions:
    revisions = Revisions(clock)
    for each in written:
        revisions.wrote(each, {"route": each}, served={served})
    return revisions


def test_a_revision_that_was_replaced_may_still_be_loading() -> None:
    revisions = remembered(clock := Clock(), "r0", "r1", "r2", "r3")
    assert revisions.known() == {each: {"route": each} for each in ("r0", "r1", "r2", "r3")}
    clock.now += LOADING_SECONDS - 1
    revisions.wrote("r3", {"route": "r3"}, served={"r1"})
    assert set(revisions.known()) == {"r0", "r1", "r2", "r3"}
    clock.now += 1
    revisions.wrote("r3", {"route": "r3"}, served={"r1"})
    assert set(revisions.known()) == {"r1", "r3"}


def test_a_revision_that_a_pod_serves_is_kept_for_as_long_as_it_does() -> None:
    revisions = remembered(clock := Clock(), "r0", "r1")
    clock.now += 10 * LOADING_SECONDS
    revisions.wrote("r2", {}, served={"r0"})
    assert set(revisions.known()) == {"r0", "r1", "r2"}
    clock.now += LOADING_SECONDS
    revisions.wrote("r2", {}, served={"r0"})
    assert set(revisions.known()) == {"r0", "r2"}
    revisions.wrote("r2", {}, served={"r2"})
    assert set(revisions.known()) == {"r2"}


def test_a_long_series_of_edits_is_not_kept_whole() -> None:
    revisions = remembered(Clock(), *(f"r{number}" for number in range(100)))
    newest = {f"r{number}" for number in range(99 - MOST_LOADING, 100)}
    assert set(revisions.known()) == {"r0", *newest}
    assert revisions.newest == "r99"


def test_a_revision_that_returns_is_the_newest_again() -> None:
    revisions = remembered(clock := Clock(), "r0", "r1", "r0", served="r0")
    clock.now += LOADING_SECONDS
    revisions.wrote("r0", {}, served=())
    assert set(revisions.known()) == {"r0"}
    revisions.wrote("r1", {}, served=())
    assert set(revisions.known()) == {"r0", "r1"}


def test_what_an_earlier_operator_wrote_may_still_be_loading_too() -> None:
    clock = Clock()
    revisions = Revisions(clock)
    revisions.found("before", {"route": "x"})
    assert revisions.newest is None
    revisions.wrote("now", {}, served=())
    assert revisions.known() == {"before": {"route": "x"}, "now": {}}
    clock.now += LOADING_SECONDS
    revisions.wrote("now", {}, served=())
    assert set(revisions.known()) == {"now"}
