"""A ConfigMap and a Secret put together, and who may read the report."""

import gzip
from dataclasses import replace

import pytest
from tests.support.processes.agent import bundle

from claude_gateway.contract.bundle import Packed, pack, secret_entry, unpack
from claude_gateway.names import META_JSON
from claude_gateway.release_names import REPORT_TOKEN
from claude_gateway_proxy.agent.following import State
from claude_gateway_proxy.agent.kubernetes import ReportToken, combined, torn
from claude_gateway_proxy.agent.source import Offer

KEY = b"sk-very-secret-value"
OURS = bundle("a", key=KEY)
PACKED = pack(OURS)
CONFIG = State(known=True, entries=PACKED.config)
SECRET = State(known=True, entries={**PACKED.secrets, REPORT_TOKEN: b"token", "default.old.01234567": b"old"})
ABSENT = State(known=True)


def _combined(config: State, secret: State) -> Offer | None:
    return combined(config, secret, name="ns/cg-bundle")


def test_both_halves_are_an_offer_without_the_report_token() -> None:
    offer = _combined(CONFIG, SECRET)

    assert offer is not None
    assert (offer.revision, offer.error) == (OURS.meta.revision, None)
    assert offer.packed is not None
    assert unpack(offer.packed) == OURS
    assert REPORT_TOKEN not in offer.packed.secrets


@pytest.mark.parametrize(("config", "secret"), [(State(), SECRET), (CONFIG, State()), (State(), State())])
def test_nothing_is_said_before_both_were_seen(config: State, secret: State) -> None:
    assert _combined(config, secret) is None


def test_an_object_that_is_not_there_is_named() -> None:
    assert _combined(ABSENT, SECRET) == Offer(error="there is no ConfigMap ns/cg-bundle")
    assert _combined(CONFIG, ABSENT) == Offer(revision=OURS.meta.revision, error="there is no Secret ns/cg-bundle")


@pytest.mark.parametrize("meta", [b"{}", b"no json", None])
def test_a_revision_that_cannot_be_told_is_left_to_who_verifies(meta: bytes | None) -> None:
    config = {name: data for name, data in PACKED.config.items() if name != META_JSON}
    offer = _combined(State(known=True, entries=config if meta is None else {**config, META_JSON: meta}), SECRET)

    assert offer is not None
    assert offer.packed is not None
    assert offer.revision is None
    assert not torn(offer)


def test_a_revision_is_told_though_its_name_stands_in_a_compressed_entry() -> None:
    many = {secret_entry(f"default.{number:0200}", b"x"): b"x" for number in range(400)}
    large = replace(OURS, secrets={**OURS.secrets, **many})
    packed = pack(large)
    assert f"{META_JSON}.gz" in packed.config

    offer = _combined(State(known=True, entries=packed.config), State(known=True, entries=packed.secrets))

    assert offer is not None
    assert offer.revision == large.meta.revision
    assert not torn(offer)


def test_a_compressed_entry_that_is_damaged_tells_no_revision() -> None:
    config = {**PACKED.config, f"{META_JSON}.gz": b"not gzip"}
    del config[META_JSON]

    offer = _combined(State(known=True, entries=config), SECRET)

    assert offer is not None
    assert offer.revision is None


def test_a_set_is_torn_while_an_entry_that_it_names_is_absent() -> None:
    revision = OURS.meta.revision
    zipped = {f"{name}.gz": gzip.compress(data) for name, data in PACKED.secrets.items()}

    assert torn(Offer(revision=revision, packed=Packed(config=PACKED.config, secrets={})))
    assert not torn(Offer(revision=revision, packed=Packed(config=PACKED.config, secrets=zipped)))
    assert not torn(Offer(revision=revision, packed=PACKED))
    assert not torn(Offer(error="there is no ConfigMap"))


def test_a_state_does_not_show_its_entries() -> None:
    assert KEY.decode() not in repr(SECRET)


@pytest.mark.parametrize("shown", ["Bearer token", "bearer token", "BEARER  token "])
def test_the_report_token_admits_who_shows_it(shown: str) -> None:
    token = ReportToken()
    token.put(b"token\n")

    assert token.admits(shown)


@pytest.mark.parametrize(
    "shown", [None, "", "token", "Bearer", "Bearer ", "Bearer tok", "Bearer token2", "Basic token", "Bearer tökén"]
)
def test_the_report_token_admits_nobody_else(shown: str | None) -> None:
    token = ReportToken()
    token.put(b"token")

    assert not token.admits(shown)


@pytest.mark.parametrize("value", [None, b"", b"\n"])
def test_without_a_token_nobody_is_admitted(value: bytes | None) -> None:
    token = ReportToken()
    token.put(b"token")
    token.put(value)

    assert not [shown for shown in (None, "", "Bearer", "Bearer ", "Bearer token") if token.admits(shown)]
