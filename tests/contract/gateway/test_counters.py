"""Counters in a real Valkey: what several pods take together, and what happens while it is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.builders.certificates import self_signed
from tests.support.processes.valkey import ValkeyServer, encrypted, valkey
from tests.support.processes.waiting import until_async
from valkey.asyncio import Valkey

from claude_gateway_proxy.gateway.admission.counters import scripts
from claude_gateway_proxy.gateway.admission.counters.counters import Counters, Refused, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand, Purse, Slots

_ENDS = 2**33


@pytest.fixture(scope="module")
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture
def lonely() -> Iterator[ValkeyServer]:
    """One that the test may stop."""
    with valkey() as server:
        yield server


class _Pod:
    """The counters of one pod, and what it said about Valkey."""

    def __init__(self, server: Server, prefix: str) -> None:
        self.changes: list[str | None] = []
        self.counters = ValkeyCounters(server, prefix=prefix, changed=self.changes.append)
        self._numbers = iter(range(10**6))
        self.work = asyncio.create_task(self.counters.run())

    async def take(self, *demands: Demand, holder: str = "") -> Taken | Refused:
        return await self.counters.take(demands, holder=holder or f"{id(self)}-{next(self._numbers)}")

    async def settled(self, demands: Sequence[Demand], *actual: int, holder: str) -> None:
        """Settle, and wait until Valkey has heard of it."""
        self.counters.settle(demands, actual, holder=holder)
        await self.sent()

    async def sent(self) -> None:
        async def ask() -> bool:
            return not self.counters._settlements

        await until_async(ask, what="the settlements to be sent")
        await self.counters.read(["after the last settlement"])

    async def spent(self, key: str) -> int:
        return (await self.counters.read([key]))[key]

    async def end(self) -> None:
        self.work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.work
        await self.counters.close()


@contextlib.asynccontextmanager
async def _pods(server: ValkeyServer, count: int = 1, *, prefix: str = "", **more: object) -> AsyncIterator[list[_Pod]]:
    async with Valkey(host="127.0.0.1", port=server.port) as client:
        await client.flushall()
    made = [_Pod(Server(server.address, **more), prefix or "ns/cg") for _ in range(count)]  # type: ignore[arg-type]
    try:
        yield made
    finally:
        for pod in made:
            await pod.end()


def _bucket(units: int = 1, per_minute: int = 6, key: str = "b") -> Bucket:
    return Bucket(key, per_minute, burst=per_minute, units=units)


async def test_pods_take_from_one_bucket(there: ValkeyServer) -> None:
    async with _pods(there, 2) as (one, other):
        results = [await pod.take(_bucket()) for pod in (one, other) * 4]
    assert results[:6] == [Taken((number,)) for number in range(6)]
    assert all(isinstance(each, Refused) and 9 < each.retry_after <= 10 for each in results[6:])


async def test_a_slot_of_another_pod_is_free_when_its_request_ends(there: ValkeyServer) -> None:
    slots = Slots("s", most=1)
    async with _pods(there, 2) as (one, other):
        assert await one.take(slots, holder="a") == Taken((0,))
        assert await other.take(slots) == Refused(0, 0.0)
        await one.settled([slots], 0, holder="a")
        assert await other.take(slots, holder="b") == Taken((0,))
        await one.settled([slots], 0, holder="a")
        assert await one.take(slots) == Refused(0, 0.0)


async def test_a_purse_counts_what_all_pods_reserved_and_spent(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=60, ends_at=_ENDS)
    async with _pods(there, 2) as (one, other):
        assert await one.take(purse, holder="a") == Taken((0,))
        refused = await other.take(purse)
        assert isinstance(refused, Refused)
        assert refused.retry_after > 10**6
        await one.settled([purse], 25, holder="a")
        await one.settled([purse], 25, holder="a")
        assert await other.spent("p") == 25
        assert await other.take(purse) == Taken((25,))
        unbounded = Purse("p", amount=None, reserve=10**15, ends_at=_ENDS)
        assert await other.take(unbounded, holder="b") == Taken((25,))
        await other.settled([unbounded], 8 * 10**15, holder="b")
        assert await one.spent("p") == 8 * 10**15 + 25


async def test_the_rest_of_a_purse_is_spent_one_request_at_a_time(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=60, ends_at=_ENDS)
    async with _pods(there, 2) as (one, other):
        await one.take(purse, holder="a")
        await one.settled([purse], 99, holder="a")
        assert await other.take(purse, holder="b") == Taken((99,))
        assert isinstance(await one.take(Purse("p", amount=100, reserve=1, ends_at=_ENDS)), Refused)
        await other.settled([purse], 60, holder="b")
        assert isinstance(await one.take(purse), Refused)


async def test_what_must_fit_as_a_whole_is_not_let_through_alone(there: ValkeyServer) -> None:
    async with _pods(there, 1) as (one,):
        for reserve, taken in ((101, False), (60, True), (41, False), (40, True), (1, False)):
            purse = Purse("p", amount=100, reserve=reserve, ends_at=_ENDS, whole=True)
            assert isinstance(await one.take(purse), Taken) is taken, reserve


async def test_what_is_refused_takes_nothing(there: ValkeyServer) -> None:
    async with _pods(there) as (pod,):
        demands = (_bucket(), Slots("s", 1), Purse("p", amount=0, reserve=6, ends_at=_ENDS))
        refused = await pod.take(*demands)
        assert isinstance(refused, Refused)
        assert refused.index == 2
        assert await pod.take(*demands[:2]) == Taken((0, 0))


async def test_releases_that_share_a_valkey_do_not_share_counters(there: ValkeyServer) -> None:
    async with _pods(there) as (one,):
        other = _Pod(Server(there.address), "ns/other")
        assert await one.take(Slots("s", 1)) == Taken((0,))
        assert await other.take(Slots("s", 1)) == Taken((0,))
        await other.end()
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            keys = await client.keys("*")
            ages = [await client.pttl(key) for key in keys]
    assert {key[: key.index(b"}") + 1] for key in keys} == {b"{claude-gateway:ns/cg}", b"{claude-gateway:ns/other}"}
    assert all(age > 0 for age in ages)


async def test_every_key_expires_whatever_happens_to_its_request(there: ValkeyServer) -> None:
    demands = (_bucket(), Slots("s", 5), Purse("p", amount=5, reserve=1, ends_at=_ENDS))
    async with _pods(there) as (pod,):
        await pod.take(*demands, holder="a")
        await pod.take(*demands, holder="b")
        await pod.settled(demands, 1, 0, 1, holder="a")
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            ages = {key: await client.pttl(key) for key in await client.keys("*")}
    assert len(ages) >= 4
    assert all(age > 0 for age in ages.values())


async def test_scripts_are_sent_again_to_a_valkey_that_lost_them(there: ValkeyServer) -> None:
    slots = Slots("s", 1)
    async with _pods(there) as (pod,):
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            await client.script_flush()
            await pod.take(slots, holder="a")
            await client.script_flush()
        await pod.settled([slots], 0, holder="a")
        assert await pod.take(slots) == Taken((0,))
        assert pod.changes == []


async def test_slots_of_a_pod_that_died_are_free_again(there: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "_SLOT_MILLISECONDS", "300")
    monkeypatch.setattr("claude_gateway_proxy.gateway.admission.counters.valkey._RENEW_SECONDS", 0.0)
    slots = Slots("s", 2)
    async with _pods(there, 3) as (alive, dead, other):
        await alive.take(slots, holder="alive")
        await dead.take(slots, holder="dead")
        dead.work.cancel()
        assert await other.take(slots) == Refused(0, 0.0)
        keeping = asyncio.create_task(_every(0.05, alive))

        async def ask() -> bool:
            return isinstance(await other.take(slots), Taken)

        await until_async(ask, what="the slot of the dead pod")
        assert await other.take(slots) == Refused(0, 0.0)
        keeping.cancel()


async def test_reservations_of_a_pod_that_died_count_as_spent(
    there: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "_SLOT_MILLISECONDS", "300")
    monkeypatch.setattr("claude_gateway_proxy.gateway.admission.counters.valkey._RENEW_SECONDS", 0.0)
    purse = Purse("p", amount=100, reserve=30, ends_at=_ENDS)
    async with _pods(there, 3) as (alive, dead, other):
        await alive.take(purse, holder="alive")
        await dead.take(purse, holder="dead")
        dead.work.cancel()
        keeping = asyncio.create_task(_every(0.05, alive))

        async def ask() -> bool:
            await other.take(Purse("p", 0, 1, _ENDS))
            return await other.spent("p") == 30

        await until_async(ask, what="the reservation of the dead pod to be spent")
        await alive.settled([purse], 5, holder="alive")
        assert await other.spent("p") == 35
        keeping.cancel()
        # It was not dead after all, and says what its request really cost.
        await other.settled([purse], 10, holder="dead")
        assert await other.spent("p") == 15
        assert await other.take(Purse("p", 100, 85, _ENDS)) == Taken((15,))


async def test_what_was_spent_is_restored_in_a_valkey_that_lost_it(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=30, ends_at=_ENDS)
    async with _pods(there, 2) as (one, other):
        for pod in (one, other):
            await pod.counters.restore([purse], [80])
        assert await one.take(purse) == Taken((80,)), "the rest is spent one request at a time"
        assert isinstance(await other.take(purse), Refused)
        await one.counters.restore([purse], [70])
        assert await one.spent("p") == 80
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            assert await client.pttl("{claude-gateway:ns/cg}:p") > 0


async def test_a_purse_that_is_not_there_begins_with_what_a_pod_knows(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=15, ends_at=_ENDS, known=80)
    async with _pods(there, 2) as (one, other):
        assert isinstance(await one.take(Purse("p", amount=100, reserve=15, ends_at=_ENDS, known=100)), Refused)
        assert await one.take(purse, holder="a") == Taken((80,))
        await one.settled([purse], 5, holder="a")
        assert await other.take(Purse("p", amount=100, reserve=15, ends_at=_ENDS, known=99)) == Taken((85,))
        assert await other.spent("p") == 85


async def _until(condition: Callable[[], bool], what: str, *, meanwhile: _Pod) -> None:
    """Wait until something holds, and take from a bucket meanwhile."""

    async def ask() -> bool:
        with contextlib.suppress(UnavailableError):
            await meanwhile.take(_bucket())
        return condition()

    await until_async(ask, what=what)


async def _every(seconds: float, pod: _Pod) -> None:
    while True:
        pod.counters._work.set()
        await asyncio.sleep(seconds)


async def test_a_take_that_is_cancelled_has_taken_nothing(there: ValkeyServer) -> None:
    slots = Slots("s", 3)
    async with _pods(there, 2) as (one, other):
        for turns in range(12):
            taking = asyncio.create_task(one.take(slots))
            for _ in range(turns):
                await asyncio.sleep(0)
            taking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await taking
                break

        async def ask() -> bool:
            return await other.take(slots, Slots("t", 0)) == Refused(1, 0.0)

        async def empty() -> bool:
            async with Valkey(host="127.0.0.1", port=there.port) as client:
                return int(await client.zcard("{claude-gateway:ns/cg}:s")) == 0

        if taking.cancelled():
            await until_async(empty, what="the slots to be given back")


async def test_a_take_that_comes_after_it_was_given_up_takes_nothing(there: ValkeyServer) -> None:
    slots = Slots("s", 1)
    async with _pods(there) as (pod,):
        for _ in range(3):
            await pod.settled([slots], 0, holder="late")
        assert await pod.take(slots, holder="late") == Refused(0, 0.0)
        assert await pod.take(slots) == Taken((0,))


async def test_while_valkey_is_away_nothing_is_taken_and_afterwards_everything_again(lonely: ValkeyServer) -> None:
    async with _pods(lonely) as (pod,):
        assert await pod.take(_bucket()) == Taken((0,))
        lonely.stop()
        with pytest.raises(UnavailableError):
            await pod.take(_bucket())
        with pytest.raises(UnavailableError, match="a moment ago"):
            await pod.take(_bucket())
        lonely.start()

        async def ask() -> bool:
            return pod.counters.available

        await until_async(ask, what="Valkey to be found again")
        assert await pod.take(_bucket()) == Taken((0,))
    assert len(pod.changes) == 2
    assert pod.changes[0] is not None
    assert pod.changes[1] is None


async def test_settlements_wait_until_valkey_answers_again(lonely: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=60, ends_at=_ENDS)
    async with _pods(lonely, 2) as (one, other):
        await one.take(purse, holder="a")
        lonely.pause()
        one.counters.settle([purse], [25], holder="a")
        with pytest.raises(UnavailableError):
            await one.take(purse)
        lonely.resume()
        await one.sent()

        async def ask() -> bool:
            with contextlib.suppress(UnavailableError):
                return await other.spent("p") == 25
            return False

        await until_async(ask, what="the settlement")
        assert isinstance(await other.take(purse), Taken)


async def test_a_valkey_that_only_reads_counts_as_away(lonely: ValkeyServer) -> None:
    async with _pods(lonely) as (pod,):
        async with Valkey(host="127.0.0.1", port=lonely.port) as client:
            await client.config_set("maxmemory", 1)
        with pytest.raises(UnavailableError):
            await pod.take(_bucket())
        assert not pod.counters.available


async def test_a_password_is_read_from_its_file_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    with valkey("--requirepass", "first") as server:
        pod = _Pod(Server(server.address, password_file=file), "ns/cg")
        assert await pod.take(_bucket()) == Taken((0,))
        async with Valkey(host="127.0.0.1", port=server.port, password="first") as client:
            await client.config_set("requirepass", "second")
            await client.client_kill_filter(_type="normal")
        await _until(lambda: bool(pod.changes), "the old password to be rejected", meanwhile=pod)
        file.write_text("second\n")

        async def ask() -> bool:
            return pod.counters.available

        await until_async(ask, what="the new password")
        await pod.end()
        assert isinstance(pod.changes[0], str)
        assert "first" not in pod.changes[0]


async def test_a_user_with_a_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret")
    rights = ("on", ">secret", "~{claude-gateway:*}*", "+@all", "-@admin")
    with valkey("--requirepass", "other", "--user", "gateway", *rights) as server:
        pod = _Pod(Server(server.address, username="gateway", password_file=file), "ns/cg")
        assert await pod.take(_bucket()) == Taken((0,))
        await pod.end()


async def test_tls_with_the_certificates_of_a_file(there: ValkeyServer, tmp_path: Path) -> None:
    certificate, key = tmp_path / "crt", tmp_path / "key"
    made = self_signed("localhost")
    certificate.write_bytes(made[0])
    key.write_bytes(made[1])
    async with encrypted(there, certificate=certificate, key=key) as address:
        trusting = _Pod(Server(address, tls=True, ca_file=certificate), "ns/tls")
        assert await trusting.take(_bucket()) == Taken((0,))
        await trusting.end()
        strict = _Pod(Server(address, tls=True), "ns/tls")
        with pytest.raises(UnavailableError):
            await strict.take(_bucket())
        await strict.end()


async def test_another_host_than_the_certificates_is_not_trusted(there: ValkeyServer, tmp_path: Path) -> None:
    certificate, key = tmp_path / "crt", tmp_path / "key"
    made = self_signed("valkey.example")
    certificate.write_bytes(made[0])
    key.write_bytes(made[1])
    async with encrypted(there, certificate=certificate, key=key) as address:
        pod = _Pod(Server(address, tls=True, ca_file=certificate), "ns/tls")
        with pytest.raises(UnavailableError):
            await pod.take(_bucket())
        await pod.end()


async def test_many_pods_at_once_never_take_too_much(there: ValkeyServer) -> None:
    slots, bucket = Slots("s", most=7), _bucket(per_minute=40)
    purse = Purse("p", amount=1000, reserve=30, ends_at=_ENDS)
    running = most = taken = 0

    async def request(pod: _Pod, holder: str) -> None:
        nonlocal running, most, taken
        if not isinstance(await pod.take(slots, bucket, purse, holder=holder), Taken):
            return
        taken += 1
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        pod.counters.settle([slots, bucket, purse], [0, 1, 20], holder=holder)

    async with _pods(there, 4) as pods:
        await asyncio.gather(*(request(pods[number % 4], f"h{number}") for number in range(300)))
        for pod in pods:
            await pod.sent()
        spent = await pods[0].spent("p")
    assert most <= 7
    assert 7 <= taken <= 40
    assert spent == 20 * taken


_KEYS = ("x", "y")
_DEMANDS = st.one_of(
    st.builds(
        lambda key, most, units: Bucket(f"b{key}{most}", most, burst=most, units=units),
        st.sampled_from(_KEYS),
        st.integers(1, 4),
        st.integers(0, 6),
    ),
    st.builds(lambda key, most: Slots(f"s{key}{most}", most), st.sampled_from(_KEYS), st.integers(1, 3)),
    st.builds(
        lambda key, amount, reserve, whole: Purse(f"p{key}", amount, reserve, ends_at=_ENDS, whole=whole),
        st.sampled_from(_KEYS),
        st.one_of(st.none(), st.integers(0, 20)),
        st.integers(0, 9),
        st.booleans(),
    ),
)
_STEPS = st.lists(
    st.tuples(
        st.lists(_DEMANDS, min_size=1, max_size=3, unique_by=lambda each: each.key),
        st.integers(0, 9),
        st.integers(0, 8),
    ),
    max_size=25,
)


async def _outcomes(counters: Counters, steps: Sequence[tuple[list[Demand], int, int]]) -> list[object]:
    """Take and settle as the steps say, and return all answers without the waits."""
    found: list[object] = []
    running: dict[str, list[Demand]] = {}
    for number, (demands, ends, used) in enumerate(steps):
        if (holder := str(ends)) in running:
            done = running.pop(holder)
            for _ in range(2):
                counters.settle(done, [used] * len(done), holder=holder)
            if isinstance(counters, ValkeyCounters):
                await counters._flush()
        result = await counters.take(demands, holder=str(number))
        if isinstance(result, Taken):
            running[str(number)] = demands
            found.append(result)
        else:
            # Which of several waits is the longest may depend on a millisecond.
            found.append("refused")
    found.append(await counters.read(["px", "py"]))
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=_STEPS)
def test_memory_and_valkey_agree(there: ValkeyServer, steps: list[tuple[list[Demand], int, int]]) -> None:
    async def both() -> tuple[list[object], list[object]]:
        async with _pods(there) as (pod,):
            pod.work.cancel()
            return await _outcomes(MemoryCounters(), steps), await _outcomes(pod.counters, steps)

    memory, shared = asyncio.run(both())
    assert memory == shared
