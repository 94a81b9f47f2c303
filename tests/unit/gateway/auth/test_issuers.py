"""The key sets of issuers: fetched when needed, renewed, kept while the issuer is away, and never fetched often."""

import asyncio
import json

import pytest
from tests.support.builders.tokens import ISSUER, Signer, key_set

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.auth.issuers import ASK_SECONDS, FRESH_SECONDS, KEPT_SECONDS, Issuers, Source
from claude_gateway_proxy.gateway.errors import Failure

_SOURCE = Source(ISSUER, f"{ISSUER}/keys")
_OLD, _NEW = Signer.of("ES256", "old"), Signer.of("ES256", "new")


class Idp:
    """An issuer whose document tests replace; None is one that does not answer. It answers when ``open`` is set."""

    def __init__(self, *signers: Signer) -> None:
        self.document: bytes | None = key_set(*signers)
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.now = 1000.0
        self.issuers = Issuers(self.fetch, clock=lambda: self.now)

    async def fetch(self, _url: str, _egress: Egress) -> bytes:
        self.asked += 1
        await self.open.wait()
        if self.document is None:
            raise OSError("nobody answers")
        return self.document

    async def has(self, key_id: str | None) -> bool:
        return bool(await self.issuers.keys(_SOURCE, key_id, egress=Egress()))

    async def settled(self) -> None:
        """Wait for a renewal in the background."""
        task = self.issuers._kept[_SOURCE].fetching
        if task is not None:
            await task


async def test_keys_are_fetched_once() -> None:
    idp = Idp(_OLD)
    assert await idp.has("old")
    assert await idp.has("old")
    assert idp.asked == 1


async def test_requests_that_come_together_wait_for_one_fetch() -> None:
    idp = Idp(_OLD)
    idp.open.clear()
    waiting = [asyncio.create_task(idp.has("old")) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    idp.open.set()
    assert all(await asyncio.gather(*waiting[1:]))
    assert idp.asked == 1


async def test_a_rotated_key_arrives_with_the_first_token_that_names_it() -> None:
    idp = Idp(_OLD)
    assert await idp.has("old")
    idp.document = key_set(_OLD, _NEW)
    assert await idp.has("new")
    assert idp.asked == 2


async def test_a_withdrawn_key_is_no_longer_used() -> None:
    idp = Idp(_OLD)
    assert await idp.has("old")
    idp.document = key_set(_NEW)
    idp.now += FRESH_SECONDS + 1
    assert await idp.has("old"), "the renewal runs in the background"
    await idp.settled()
    assert not await idp.has("old")


async def test_made_up_key_ids_cannot_make_it_ask_often() -> None:
    idp = Idp(_OLD)
    for number in range(1000):
        assert not await idp.has(f"made-up-{number}")
    first = idp.asked
    assert first <= 6
    for number in range(100):
        idp.now += ASK_SECONDS / 10
        assert not await idp.has(f"again-{number}")
    assert idp.asked <= first + 11
    assert await idp.has("old")


async def test_keys_are_kept_for_a_day_while_the_issuer_is_away() -> None:
    idp = Idp(_OLD)
    assert await idp.has("old")
    idp.document = None
    for _ in range(20):
        idp.now += KEPT_SECONDS / 21
        assert await idp.has("old")
        await idp.settled()
    idp.now += KEPT_SECONDS / 10
    with pytest.raises(Failure) as caught:
        await idp.has("old")
    assert (caught.value.status, caught.value.retry) == (503, True)
    idp.document = key_set(_OLD)
    idp.now += ASK_SECONDS + 1
    assert await idp.has("old")


async def test_an_issuer_that_fails_is_not_asked_by_every_request() -> None:
    idp = Idp(_OLD)
    idp.document = None
    for _ in range(50):
        with pytest.raises(Failure):
            await idp.has("old")
    assert idp.asked == 1
    idp.document = key_set(_OLD)
    idp.now += ASK_SECONDS + 1
    assert await idp.has("old")


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1]}', b"[" * 9999])
async def test_a_document_that_is_no_key_set_replaces_nothing(document: bytes) -> None:
    idp = Idp(_OLD)
    assert await idp.has("old")
    idp.document = document
    assert not await idp.has("new")
    assert await idp.has("old")


async def test_a_set_has_a_bounded_number_of_keys() -> None:
    idp = Idp()
    idp.document = json.dumps({"keys": [_OLD.jwk(kid=f"k{number}") for number in range(200)]}).encode()
    assert await idp.has("k63")
    assert not await idp.has("k64")
    assert len(await idp.issuers.keys(_SOURCE, None, egress=Egress())) == 8


async def test_a_source_that_nobody_accepts_any_more_is_forgotten() -> None:
    idp = Idp(_OLD)
    assert await idp.has("old")
    idp.issuers.keep_only({_SOURCE})
    assert await idp.has("old")
    idp.open.clear()
    idp.now += FRESH_SECONDS + 1
    assert await idp.has("old")
    idp.issuers.keep_only(set())
    idp.open.set()
    assert await idp.has("old")
    assert idp.asked >= 2


async def test_a_key_set_without_ids_serves_tokens_with_any() -> None:
    idp = Idp()
    idp.document = json.dumps({"keys": [_OLD.jwk(kid=None)]}).encode()
    assert await idp.has(None)
    assert await idp.has("whatever")


async def test_the_log_says_why_keys_cannot_be_fetched(caplog: pytest.LogCaptureFixture) -> None:
    idp = Idp(_OLD)
    idp.document = None
    for _ in range(3):
        with pytest.raises(Failure):
            await idp.has("old")
    (line,) = caplog.records
    assert (line.levelname, line.message) == ("WARNING", "issuer_keys_unavailable")
    assert line.__dict__["fields"] == {"issuer": ISSUER, "url": f"{ISSUER}/keys", "error": "nobody answers"}
