"""Who a client certificate is from, in every form in which it is presented, and the attacks on that."""

import re
import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.certificates import Authority, Issued, dns, email, uri

from claude_gateway.contract.certificate_name import CertificateName, NameKind
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Egress
from claude_gateway.names import CERTIFICATE_KEY
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.certificates import MOST_KEPT, Certificates
from claude_gateway_proxy.gateway.auth.identity import LONGEST
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import Form, Presented
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.errors import Failure

_AUTHORITY = Authority()
_ID = "spiffe://example.org/ns/team-a/sa/ci"
_ALICE = _AUTHORITY.issue(uri(_ID), email("Alice@Example.com"), dns("A.Example.com"), common=("Alice",))

_PLAIN = _AUTHORITY.issue()


def client(*names: tuple[str, str], name: str = "ns/dev", rank: int = 0) -> Client:
    listed = tuple(CertificateName(kind=NameKind(kind), value=value) for kind, value in names)
    return Client(name=name, certificates=listed, certificate_rank=rank)


def of(clients: Iterable[Client]) -> Certificates:
    return Certificates.of(clients, release="ns")


def der(issued: Issued) -> Presented:
    return Presented(Form.DER, issued.der)


def refusal(certificates: Certificates, shown: Presented) -> str:
    with pytest.raises(Failure) as caught:
        certificates.identify(shown)
    assert (caught.value.status, caught.value.retry) == (401, False)
    return caught.value.message


def rfc9440(data: bytes) -> Presented:
    return Presented(Form.RFC9440, b":" + b64encode(data) + b":")


def escaped(pem: bytes) -> bytes:
    return quote(pem, safe="").encode()


def xfcc(text: str | bytes) -> Presented:
    return Presented(Form.XFCC, text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("kind", "value", "user"),
    [
        ("uri", _ID, _ID),
        ("uri", "spiffe://example.org/*", _ID),
        ("uri", "spiffe://example.org/ns/team-a/*", _ID),
        ("email", "Alice@example.com", "Alice@example.com"),
        ("dns", "a.example.com", "a.example.com"),
        ("commonName", "Alice", "Alice"),
        pytest.param("fingerprint", _ALICE.fingerprint, _ID, id="fingerprint"),
    ],
)
def test_each_name_identifies_the_client_that_lists_it(kind: str, value: str, user: str) -> None:
    known = client((kind, value))
    assert of([known]).identify(der(_ALICE)) == Principal(known, Proof.CERTIFICATE, user=user)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uri", "spiffe://example.org/ns/team-a/sa"),
        ("uri", "spiffe://example.org/ns/team-a/sa/ci/*"),
        ("uri", "spiffe://example.org/ns/team/*"),
        ("uri", "spiffe://EXAMPLE.org/ns/team-a/sa/ci"),
        ("email", "alice@example.com"),
        ("dns", "example.com"),
        ("dns", "alice"),
        ("commonName", "alice"),
        ("commonName", "a.example.com"),
        ("fingerprint", f"sha256:{'0' * 64}"),
    ],
)
def test_another_name_does_not(kind: str, value: str) -> None:
    assert "no GatewayClient lists" in refusal(of([client((kind, value))]), der(_ALICE))


def test_of_two_clients_the_lower_rank_wins_whatever_the_kind_of_name() -> None:
    names = [("uri", _ID), ("uri", "spiffe://example.org/*"), ("email", "Alice@example.com"), ("commonName", "Alice")]
    for first in names:
        clients = [client(name, name=f"ns/{name[1]}", rank=0 if name == first else 7) for name in names]
        for order in (clients, clients[::-1]):
            assert of(order).identify(der(_ALICE)).client.name == f"ns/{first[1]}"


@pytest.mark.parametrize(
    "name", [("email", "Alice@example.com"), ("dns", "a.example.com"), ("commonName", "Alice"), ("uri", _ID)]
)
def test_the_certificate_of_pods_is_of_no_other_namespace_by_whatever_name(name: tuple[str, str]) -> None:
    stranger = client(name, name="team-b/older", rank=0)
    assert "no GatewayClient lists" in refusal(of([stranger]), der(_ALICE))
    for namespace in ("team-a", "ns"):
        own = client(("uri", _ID), name=f"{namespace}/younger", rank=1)
        listed = [stranger, own] if name[0] != "uri" else [own]
        assert of(listed).identify(der(_ALICE)).client == own
    plain = _AUTHORITY.issue(uri("spiffe://example.org/build/7"), dns("a.example.com"))
    assert of([client(("dns", "a.example.com"), name="team-b/x")]).identify(der(plain)).client.name == "team-b/x"


def test_a_name_that_two_clients_list_is_of_the_lower_rank() -> None:
    clients = [client(("uri", _ID), name=f"ns/{rank}", rank=rank) for rank in (2, 1, 3)]
    assert of(clients).identify(der(_ALICE)).client.name == "ns/1"


def test_a_certificate_without_names_is_known_by_its_fingerprint() -> None:
    bare = _AUTHORITY.issue(common=())
    known = client(("fingerprint", bare.fingerprint))
    assert of([known]).identify(der(bare)).user == ""


@pytest.mark.parametrize(
    "issued",
    [
        _AUTHORITY.issue(common=("Alice", "Bob")),
        _AUTHORITY.issue(common=("Alice\x00",)),
        _AUTHORITY.issue(uri(f"{_ID}\x00")),
        _AUTHORITY.issue(uri(f"{_ID}\n")),
        _AUTHORITY.issue(uri(f"spiffe://example.org/{'x' * 256}")),
        _AUTHORITY.issue(dns("example.org"), common=()),
    ],
)
def test_names_that_may_be_read_in_two_ways_identify_nobody(issued: Issued) -> None:
    certificates = of([client(("commonName", "Alice"), ("uri", _ID), ("uri", "spiffe://example.org/*"))])
    assert "no GatewayClient lists" in refusal(certificates, der(issued))


def test_a_spiffe_id_is_the_only_uri() -> None:
    certificates = of([client(("uri", _ID), ("uri", "https://x/a"))])
    for names in ((uri(_ID), uri("https://x/a")), (uri("https://x/a"), uri("SPIFFE://x/b"))):
        assert "beside another URI" in refusal(certificates, der(_AUTHORITY.issue(*names)))
    two = _AUTHORITY.issue(uri("https://x/b"), uri("https://x/a"))
    assert certificates.identify(der(two)).user == "https://x/a"


def test_names_are_bounded() -> None:
    certificates = of([client(("dns", "h0"))])
    assert certificates.identify(der(_AUTHORITY.issue(*(dns(f"h{n}") for n in range(63))))).user == "h0"
    assert "more than 64 names" in refusal(certificates, der(_AUTHORITY.issue(*(dns(f"h{n}") for n in range(64)))))


@pytest.mark.parametrize("form", Form)
def test_what_is_long_is_not_read(form: Form) -> None:
    certificates = of([client(("dns", "a"))])
    assert f"more than {LONGEST} bytes" in refusal(certificates, Presented(form, b"x" * (LONGEST + 1)))


def test_an_ended_certificate_identifies_nobody_even_when_it_was_known() -> None:
    certificates = of([client(("commonName", "alice"))])
    assert "expired" in refusal(certificates, der(_AUTHORITY.issue(days=(-2, -1))))
    certificates.identify(der(_PLAIN))
    ((digest, kept),) = certificates.kept.items()
    certificates.kept[digest] = replace(kept, until=time.time())
    assert "expired" in refusal(certificates, der(_PLAIN))
    assert not certificates.kept


def test_a_certificate_is_read_once_for_all_requests() -> None:
    certificates = of([client(("commonName", "Alice"))])
    first = certificates.identify(der(_ALICE))
    assert certificates.identify(Presented(Form.DER, bytes(bytearray(_ALICE.der)))) is first


def test_what_is_remembered_is_bounded_and_the_longest_unused_goes_first() -> None:
    certificates = of([client(("dns", "x"))])
    certificates.identify(xfcc("DNS=x;DNS=0"))
    for number in range(1, MOST_KEPT + 5):
        certificates.identify(xfcc("DNS=x;DNS=0"))
        certificates.identify(xfcc(f"DNS=x;DNS={number}"))
    assert len(certificates.kept) == MOST_KEPT
    before = set(certificates.kept)
    certificates.identify(xfcc("DNS=x;DNS=0"))
    assert set(certificates.kept) == before


def test_what_was_refused_is_not_remembered() -> None:
    certificates = of([client(("dns", "x"))])
    for number in range(5):
        refusal(certificates, xfcc(f"DNS=y;DNS={number}"))
    assert not certificates.kept


_FORMS = {
    "der": der(_ALICE),
    "rfc9440": rfc9440(_ALICE.der),
    "pem": Presented(Form.PEM, escaped(_ALICE.pem)),
    "pem with plus signs": Presented(Form.PEM, quote(_ALICE.pem, safe="+=/").encode()),
    "pem without lines": Presented(Form.PEM, escaped(b64encode(_ALICE.der))),
    "xfcc": xfcc(f'By=spiffe://x/gw;Hash={_ALICE.fingerprint[7:]};Cert="{escaped(_ALICE.pem).decode()}"'),
    "xfcc with all": xfcc(
        f'Hash={_ALICE.fingerprint[7:].upper()};Subject="CN=eve,O=\\"x\\"; y";URI=spiffe://x/eve;DNS=eve;Cert="{escaped(_ALICE.pem).decode()}"'
    ),
}


@pytest.mark.parametrize("form", list(_FORMS))
def test_every_form_says_the_same(form: str) -> None:
    known = client(("uri", _ID))
    assert of([known]).identify(_FORMS[form]) == Principal(known, Proof.CERTIFICATE, user=_ID)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        (f'By=spiffe://x/gw;Hash={"a" * 64};Subject="CN=a,O=b";URI={_ID}', _ID),
        (f"URI={_ID};DNS=a.example.com", _ID),
        (f'uri="{_ID}"', _ID),
        (f"Subject=;URI={_ID};", _ID),
        ("DNS=A.Example.com;DNS=b.example.com", "a.example.com"),
        pytest.param(f"Hash={_ALICE.fingerprint[7:]}", "", id="hash"),
    ],
)
def test_the_names_that_envoy_lists(text: str, user: str) -> None:
    known = client(("uri", _ID), ("dns", "a.example.com"), ("fingerprint", _ALICE.fingerprint))
    assert of([known]).identify(xfcc(text)) == Principal(known, Proof.CERTIFICATE, user=user)


_PEM = escaped(_ALICE.pem).decode()


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (xfcc(f"URI={_ID},URI=spiffe://x/gateway"), "several elements"),
        (xfcc(f"URI=spiffe://x/gateway,URI={_ID}"), "several elements"),
        (xfcc(f'Cert="{_PEM}",Cert="{_PEM}"'), "several elements"),
        (xfcc(f"URI={_ID},"), "several elements"),
        (xfcc(f'Hash={_ALICE.fingerprint[7:]};Cert="{_PEM}";Cert="{_PEM}"'), "two certificates"),
        (xfcc(f"URI={_ID};URI=spiffe://x/b"), "beside another URI"),
        (xfcc(f'URI="{_ID}'), "not XFCC"),
        (xfcc(f'URI="{_ID}"x'), "not XFCC"),
        (xfcc(f",URI={_ID}"), "not XFCC"),
        (xfcc(f'Subject="\\";URI={_ID}'), "not XFCC"),
        (xfcc(f'Subject="x\\";URI={_ID}"'), "no GatewayClient"),
        (xfcc("Hash=" + "A" * 63), "one hash"),
        (xfcc(f"Hash={'a' * 64};URI={_ID};Hash={'a' * 64}"), "one hash"),
        (xfcc(f'Hash={"a" * 64};URI=https://y/;Cert="{_PEM}"'), "without its hash"),
        (xfcc(f'URI=https://y/;Cert="{_PEM}"'), "without its hash"),
        (xfcc(f'Hash={"a" * 64};URI=https://y/;Cert="{_PEM}";Hash={_ALICE.fingerprint[7:]}'), "one hash"),
        (xfcc(f"URI={_ID.replace('-', '%2D')}"), "no GatewayClient"),
        (xfcc(""), "no GatewayClient"),
        (xfcc('Cert=""'), "not one certificate"),
        (rfc9440(b""), "not a certificate"),
        (rfc9440(_ALICE.der[:-1]), "not a certificate"),
        (rfc9440(_ALICE.der + b"x"), "not a certificate"),
        (rfc9440(_ALICE.der * 2), "not a certificate"),
        (Presented(Form.RFC9440, rfc9440(_ALICE.der).data * 2), "byte sequence"),
        (Presented(Form.RFC9440, rfc9440(_ALICE.der).data + b", " + rfc9440(_ALICE.der).data), "byte sequence"),
        (Presented(Form.RFC9440, rfc9440(_ALICE.der).data + b";a=1"), "byte sequence"),
        (Presented(Form.RFC9440, rfc9440(_ALICE.der).data.strip(b":")), "byte sequence"),
        (Presented(Form.RFC9440, b":a:"), "base64"),
        (Presented(Form.PEM, escaped(_ALICE.pem * 2)), "not one certificate"),
        (Presented(Form.PEM, escaped(_ALICE.pem) + b"," + escaped(_ALICE.pem)), "not one certificate"),
        (Presented(Form.PEM, escaped(_ALICE.key)), "not one certificate"),
        (Presented(Form.PEM, b"(null)"), "not one certificate"),
        (Presented(Form.PEM, escaped(_ALICE.pem.replace(b"MI", b"M=I"))), "base64"),
        (Presented(Form.PEM, b"", wrong="it came twice"), "it came twice"),
    ],
)
def test_a_header_that_may_be_read_in_two_ways_identifies_nobody(shown: Presented, reason: str) -> None:
    everybody = client(("uri", _ID), ("uri", "spiffe://x/*"), ("commonName", "Alice"))
    message = refusal(of([everybody]), shown)
    assert reason in message
    assert not [part for part in (_ID, b64encode(_ALICE.der)[:32].decode()) if part in message], "nothing is repeated"


@given(data=st.binary(max_size=300), form=st.sampled_from(Form))
def test_any_bytes_identify_nobody(data: bytes, form: Form) -> None:
    refusal(of([client(("commonName", "Alice"))]), Presented(form, data))


@given(at=st.integers(0, len(_ALICE.der) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_broken_certificate_is_a_refusal_and_never_another_client(at: int, byte: int, cut: bool) -> None:
    broken = _ALICE.der[:at] if cut else _ALICE.der[:at] + bytes([byte]) + _ALICE.der[at + 1 :]
    certificates = of([client(("uri", _ID))])
    try:
        found = certificates.identify(Presented(Form.DER, broken))
    except Failure as failure:
        status = failure.status
    else:
        status = 401 if found.user == _ID else 200
    assert status == 401


_NAMES = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/c", ""])


@given(listed=st.lists(st.tuples(_NAMES, st.booleans()), min_size=1, max_size=6), held=_NAMES)
def test_the_client_is_the_first_whose_pattern_matches(listed: list[tuple[str, bool]], held: str) -> None:
    patterns = [f"https://x/{name}/*" if star else f"https://x/{name}" for name, star in listed]
    clients = [client(("uri", each), name=f"ns/{rank}", rank=rank) for rank, each in enumerate(patterns)]
    certificates = of(clients)
    name = f"https://x/{held}"
    expected = next(
        (rank for rank, each in enumerate(patterns) if re.fullmatch(re.escape(each).replace(r"\*", ".*"), name)), None
    )
    if expected is None:
        refusal(certificates, xfcc(f"URI={name}"))
    else:
        assert certificates.identify(xfcc(f"URI={name}")).client.name == f"ns/{expected}"


async def _never(url: str, egress: Egress) -> bytes:
    raise AssertionError(f"{url} was fetched {egress}")


KEY = "cgw_test-key-of-bob-0123456789ab"


def callers() -> Callers:
    keys = {sha256(KEY.encode()).hexdigest(): Client(name="ns/bob")}
    return Callers(keys=keys, certificates=of([client(("commonName", "Alice"))]))


async def who(sent: dict[str, str], shown: Presented | None) -> str:
    headers = {name.encode(): value.encode() for name, value in sent.items()}
    found = await callers().identify(headers, Issuers(_never), shown=shown)
    return f"{found.client.name} by {found.proof}"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"authorization": f"Bearer {CERTIFICATE_KEY}"},
        {"x-api-key": CERTIFICATE_KEY},
        {"api-key": CERTIFICATE_KEY},
        {"x-gateway-key": CERTIFICATE_KEY, "authorization": "Bearer sk-ant-oat01-own"},
        {"x-gateway-key": "", "authorization": "Bearer sk-ant-oat01-own"},
    ],
)
async def test_a_certificate_counts_where_no_key_was_sent(sent: dict[str, str]) -> None:
    assert await who(sent, der(_ALICE)) == "ns/dev by certificate"
    with pytest.raises(Failure) as caught:
        await who(sent, None)
    assert caught.value.status == 401


async def test_a_key_goes_before_a_certificate() -> None:
    for shown in (None, der(_ALICE), Presented(Form.PEM, b"nonsense")):
        assert await who({"x-api-key": KEY}, shown) == "ns/bob by key"


@pytest.mark.parametrize("wrong", ["cgw_unknown-0123456789abcdef", "Certificate", "certificate,", "eyJh.eyJh.x"])
async def test_a_wrong_key_is_refused_whatever_the_certificate(wrong: str) -> None:
    for header in ("authorization", "x-gateway-key"):
        with pytest.raises(Failure) as caught:
            await who({header: f"Bearer {wrong}"}, der(_ALICE))
        assert caught.value.status == 401


def test_the_word_in_place_of_a_key_is_not_withheld_from_upstreams() -> None:
    headers = [(b"x-gateway-key", CERTIFICATE_KEY.encode()), (b"authorization", b"Bearer my-certificate-login")]
    assert callers().own_login(headers) == (headers[1],)
    assert not callers().holds_key(b"a certificate", headers=headers)


def test_certificates_alone_are_callers() -> None:
    assert Callers(keys={}, certificates=of([client(("dns", "a"))]))
    assert not Callers(keys={}, certificates=of([Client(name="ns/x")]))
