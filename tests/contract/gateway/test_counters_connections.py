"""The connections to a Valkey: passwords, users and TLS."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.builders.certificates import self_signed
from tests.support.processes.counting import CountingPod, small_bucket
from tests.support.processes.valkey import ValkeyServer, encrypted, valkey
from tests.support.processes.waiting import until_async
from valkey.asyncio import Valkey

from claude_gateway_proxy.gateway.admission.counters.counters import Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.server import Server


@pytest.fixture(scope="module")
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


async def _until(condition: Callable[[], bool], what: str, *, meanwhile: CountingPod) -> None:
    """Wait until something holds, and take from a bucket meanwhile."""

    async def ask() -> bool:
        with contextlib.suppress(UnavailableError):
            await meanwhile.take(small_bucket())
        return condition()

    await until_async(ask, what=what)


async def test_a_password_is_read_from_its_file_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    with valkey("--requirepass", "first") as server:
        pod = CountingPod(Server(server.address, password_file=file), "ns/cg")
        assert await pod.take(small_bucket()) == Taken((0,))
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
        pod = CountingPod(Server(server.address, username="gateway", password_file=file), "ns/cg")
        assert await pod.take(small_bucket()) == Taken((0,))
        await pod.end()


async def test_tls_with_the_certificates_of_a_file(there: ValkeyServer, tmp_path: Path) -> None:
    certificate, key = tmp_path / "crt", tmp_path / "key"
    made = self_signed("localhost")
    certificate.write_bytes(made[0])
    key.write_bytes(made[1])
    async with encrypted(there, certificate=certificate, key=key) as address:
        trusting = CountingPod(Server(address, tls=True, ca_file=certificate), "ns/tls")
        assert await trusting.take(small_bucket()) == Taken((0,))
        await trusting.end()
        strict = CountingPod(Server(address, tls=True), "ns/tls")
        with pytest.raises(UnavailableError):
            await strict.take(small_bucket())
        await strict.end()


async def test_another_host_than_the_certificates_is_not_trusted(there: ValkeyServer, tmp_path: Path) -> None:
    certificate, key = tmp_path / "crt", tmp_path / "key"
    made = self_signed("valkey.example")
    certificate.write_bytes(made[0])
    key.write_bytes(made[1])
    async with encrypted(there, certificate=certificate, key=key) as address:
        pod = CountingPod(Server(address, tls=True, ca_file=certificate), "ns/tls")
        with pytest.raises(UnavailableError):
            await pod.take(small_bucket())
        await pod.end()
