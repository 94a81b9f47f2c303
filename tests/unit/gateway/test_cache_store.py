"""The memory of kept answers: bounded in bytes whatever comes, and the least used one goes first."""

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.caching.store import Kept, Memory


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(size: int = 10) -> Kept:
    return Kept(200, ((b"content-type", b"application/json"),), b"x" * size, 0.0)


async def test_an_answer_is_there_until_its_time_is_over() -> None:
    clock = Clock()
    store = Memory(limit=10_000, clock=clock)
    await store.put(b"a", kept(), ttl=5)
    clock.now = 4.9
    assert await store.get(b"a") == kept()
    clock.now = 5.0
    assert await store.get(b"a") is None
    assert store.size == 0


async def test_the_least_used_is_forgotten_first() -> None:
    store = Memory(limit=3 * kept().size, clock=Clock())
    for key in (b"a", b"b", b"c"):
        await store.put(key, kept(), ttl=60)
    assert await store.get(b"a")
    await store.put(b"d", kept(), ttl=60)
    assert [key for key in (b"a", b"b", b"c", b"d") if await store.get(key)] == [b"a", b"c", b"d"]


async def test_what_is_larger_than_the_store_takes_the_place_of_nothing() -> None:
    store = Memory(limit=2_000, clock=Clock())
    await store.put(b"a", kept(), ttl=60)
    await store.put(b"b", kept(5_000), ttl=60)
    assert await store.get(b"a")
    assert await store.get(b"b") is None


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 4_000), st.floats(0, 5)), max_size=40)
)
async def test_the_bound_holds_and_the_size_is_that_of_what_is_kept(puts: list[tuple[bytes, int, float]]) -> None:
    clock = Clock()
    store = Memory(limit=6_000, clock=clock)
    for key, size, wait in puts:
        await store.put(key, kept(size), ttl=10)
        clock.now += wait
        assert store.size <= 6_000
    found = [await store.get(key) for key in (b"a", b"b", b"c", b"d")]
    assert store.size == sum(each.size for each in found if each is not None)
