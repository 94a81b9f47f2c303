"""Specs of GatewayClients: valid ones, and invalid ones with the field and the message."""

from typing import Any, Final

from tests.support.builders.specs.case import SECRET, Case, Spec

from claude_gateway.names import Kind

_CLIENT: Final = Kind.GATEWAY_CLIENT


def client(**spec: Any) -> Spec:
    """A GatewayClient's spec, with these changes."""
    return {"keys": [{"secretRef": {"name": "alice"}}], **spec}


def issuer(**fields: Any) -> Spec:
    """An entry of ``jwt`` with public keys, with these changes."""
    return {"issuer": "https://login.example.com", "audiences": ["claude-gateway"], **fields}


def _ending(text: str) -> Spec:
    return {"secretRef": {"name": "alice"}, "expiresAt": text}


HASH: Final = f"sha256:{'0' * 64}"
_END_IN_ZONE: Final = "2027-01-31T00:00:00+05:30"
_ONE_PLACE: Final = "set one of `secretRef`, `hash` and `hashesFrom`"
_NO_TIME: Final = "not a time; write date, time and time zone"
_NEEDS_ISSUER: Final = "set `issuer` and `audiences`, or `secretRef` for HS256"
_NO_TEXT: Final = "not plain text; write printable ASCII without spaces at the ends"
_NO_TEXT_VALUE: Final = f"{_NO_TEXT}; numbers in quotes"
_URIS: Final = (
    "spiffe://example.org/ns/team-a/sa/ci",
    "spiffe://example.org/ns/team-a/*",
    "spiffe://example.org/*",
    "spiffe://example.org",
    "https://example.com:8443/a?b=c#d",
    "urn:example:device:7",
    f"a:{'x' * 254}",
)
_NOT_URIS: Final = (
    "example.org/x",
    "Spiffe://x",
    "spiffe://example.org*",
    "spiffe://*",
    "spiffe:///*",
    "spiffe://a*/b",
    "spiffe://x/*/b",
    "spiffe://x/**",
    "spiffe://x/a*",
    "*:x",
    "a:b c",
    "a:ü",
)
_NOT_NAMES: Final = (
    ("uri", "not a URI; write it as certificates have it", _NOT_URIS),
    ("uri", "", ("a:", f"a:{'x' * 255}")),
    ("email", "not an e-mail address; write one address", ("alice", "a@b@c", "a b@c", "a@b_c", "a@-b")),
    ("email", "", ("@b", "a@", f"{'a' * 253}@b")),
    ("dns", "not a DNS name; write one name without `*`", ("*.example.com", "a b", "-a", "a.")),
    ("dns", "", ("", "a." * 127)),
    ("commonName", "not plain text; write", (" a", "a\n", "Jörg")),
    ("commonName", "", ("", "x" * 65)),
    ("fingerprint", "not the hash of a key; write", ("0" * 71, HASH.upper())),
)
_ONE_NAME: Final = "the certificates are not named in exactly one way; set one of"


VALID: Final = (
    Case("a client of one person", _CLIENT, client(owner="alice@example.com")),
    Case("a brake with its defaults", _CLIENT, client(brake={})),
    Case(
        "a brake of one's own",
        _CLIENT,
        client(
            brake={
                "perSession": {"dollars": "0.5", "requests": 0, "minutes": 30},
                "perAgent": {"dollars": "0", "repeatedToolCalls": 10, "growingTurns": 1_000_000},
                "hardPercent": 100,
                "released": ["0b8f1c2e-0000-4000-8000-000000000000"],
            }
        ),
    ),
    Case("a client of a user name", _CLIENT, client(owner="A.L-ice_1+x")),
    Case("a suspended client", _CLIENT, client(suspend=True)),
    Case("limits of a client", _CLIENT, client(limits={"concurrent": 1}, priority="Batch")),
    Case("a client", _CLIENT, client()),
    Case("a hash of a key", _CLIENT, client(keys=[{"hash": HASH, "user": "bob", "expiresAt": "2027-01-31T00:00:00Z"}])),
    Case("a list of hashes", _CLIENT, client(keys=[{"hashesFrom": {"name": "people", "key": "keys.txt"}}])),
    Case("a key of a team", _CLIENT, client(keys=[{"secretRef": SECRET, "team": "red", "expiresAt": _END_IN_ZONE}])),
    Case("ServiceAccounts", _CLIENT, {"serviceAccounts": [{"name": "ci"}, {"namespace": "team-a", "name": "ci"}]}),
    Case("an issuer", _CLIENT, {"jwt": [issuer()]}),
    Case(
        "an issuer with claims",
        _CLIENT,
        {"jwt": [issuer(jwksURL="https://x.example/keys", claims={"https://x/groups": ["a b", "c"]}, userClaim="upn")]},
    ),
    Case("old tokens", _CLIENT, {"jwt": [{"secretRef": SECRET}, {"secretRef": SECRET, "issuer": "https://old"}]}),
    Case("certificates by URI", _CLIENT, {"certificates": [{"uri": uri} for uri in _URIS]}),
    Case(
        "certificates by other names",
        _CLIENT,
        {
            "certificates": [
                {"email": "Alice.O'Hara+x@mail.Example.com"},
                {"dns": "_build.Example.com"},
                {"commonName": "Alice B. (ops)"},
                {"fingerprint": HASH},
                {"uri": None, "dns": "a"},
            ]
        },
    ),
    Case("64 certificates", _CLIENT, {"certificates": [{"commonName": "x" * 64}] * 64}),
    Case("a client for one release", _CLIENT, client(gatewayRef={"name": "cg"})),
    Case("a client with all", _CLIENT, client(keys=[{"secretRef": SECRET}] * 16, models=["*", "claude-*"])),
)

INVALID: Final = (
    Case(
        "dollars with a sign",
        _CLIENT,
        client(brake={"perSession": {"dollars": "$5"}}),
        "brake.perSession.dollars",
        "not an amount in dollars",
    ),
    Case("dollars as a number", _CLIENT, client(brake={"perAgent": {"dollars": 5}}), "brake.perAgent.dollars"),
    Case(
        "fewer than no requests", _CLIENT, client(brake={"perSession": {"requests": -1}}), "brake.perSession.requests"
    ),
    Case("a hard stop before the soft one", _CLIENT, client(brake={"hardPercent": 50}), "brake.hardPercent"),
    Case(
        "a session that is a text",
        _CLIENT,
        client(brake={"released": ["all of them"]}),
        "brake.released[0]",
        "not the id of a session",
    ),
    Case("a client of two", _CLIENT, client(owner="alice@example.com bob@example.com"), "owner", "one person"),
    Case("a limit that is text", _CLIENT, client(limits={"concurrent": "8"}), "limits.concurrent"),
    Case("too many tokens", _CLIENT, client(limits={"inputTokensPerMinute": 10**9 + 1}), "limits.inputTokensPerMinute"),
    Case("a priority of another kind", _CLIENT, client(priority="Urgent"), "priority"),
    Case("a client suspended until a time", _CLIENT, client(suspend="2027-01-31T00:00:00Z"), "suspend"),
    Case("a release that is text", _CLIENT, client(gatewayRef="cg"), "gatewayRef"),
    Case("no keys", _CLIENT, client(keys=[]), "keys"),
    Case("no proof", _CLIENT, {"models": ["*"]}, "", "list at least one of `keys`, `serviceAccounts`, `jwt` and"),
    Case("two places of a key", _CLIENT, client(keys=[{"secretRef": SECRET, "hash": HASH}]), "keys[0]", _ONE_PLACE),
    Case("no place of a key", _CLIENT, client(keys=[{"user": "bob"}]), "keys[0]", _ONE_PLACE),
    Case(
        "a list with an end",
        _CLIENT,
        client(keys=[{"hashesFrom": SECRET, "expiresAt": "2027-01-31T00:00:00Z"}]),
        "keys[0]",
        "a list of hashes has its own people and ends; remove",
    ),
    Case("a bare hash", _CLIENT, client(keys=[{"hash": "0" * 71}]), "keys[0].hash", "not the hash of a key; write"),
    Case(
        "an end that is a date", _CLIENT, client(keys=[_ending("2027-01-31 00:00:00Z")]), "keys[0].expiresAt", _NO_TIME
    ),
    Case(
        "an end without a zone", _CLIENT, client(keys=[_ending("2027-01-31T00:00:00.0")]), "keys[0].expiresAt", _NO_TIME
    ),
    Case(
        "an end long ago",
        _CLIENT,
        client(keys=[_ending("1999-01-31T00:00:00Z")]),
        "keys[0].expiresAt",
        "no calendar has this time; write",
    ),
    Case("no certificates", _CLIENT, {"certificates": []}, "certificates"),
    Case("65 certificates", _CLIENT, {"certificates": [{"dns": "a"}] * 65}, "certificates"),
    Case("certificates of nobody", _CLIENT, {"certificates": [{}]}, "certificates[0]", _ONE_NAME),
    Case("two names at once", _CLIENT, {"certificates": [{"dns": "a", "uri": "a:b"}]}, "certificates[0]", _ONE_NAME),
    *(
        Case(f"{text!r:.20} as {field}", _CLIENT, {"certificates": [{field: text}]}, f"certificates[0].{field}", wrong)
        for field, wrong, texts in _NOT_NAMES
        for text in texts
    ),
    Case(
        "an owner with certificates",
        _CLIENT,
        client(owner="alice@example.com", certificates=[{"dns": "a"}]),
        "",
        "a client of one person identifies itself with that person's keys only",
    ),
    Case("no ServiceAccounts", _CLIENT, {"serviceAccounts": []}, "serviceAccounts"),
    Case(
        "a namespace that is none",
        _CLIENT,
        {"serviceAccounts": [{"name": "a", "namespace": "A"}]},
        "serviceAccounts[0].namespace",
    ),
    Case("an issuer without audience", _CLIENT, {"jwt": [{"issuer": "https://x"}]}, "jwt[0]", _NEEDS_ISSUER),
    Case("an audience without issuer", _CLIENT, {"jwt": [{"audiences": ["x"]}]}, "jwt[0]", _NEEDS_ISSUER),
    Case(
        "two kinds of keys",
        _CLIENT,
        {"jwt": [issuer(secretRef=SECRET, jwksURL="https://x")]},
        "jwt[0]",
        "not with both; remove `secretRef` or `jwksURL`",
    ),
    Case(
        "a claim with a long name",
        _CLIENT,
        {"jwt": [issuer(claims={"x" * 129: ["a"]})]},
        "jwt[0]",
        "the name of a claim is empty or too long; write",
    ),
    Case("a claim without values", _CLIENT, {"jwt": [issuer(claims={"x": []})]}, "jwt[0].claims"),
    Case("17 claims", _CLIENT, {"jwt": [issuer(claims={f"c{i}": ["a"] for i in range(17)})]}, "jwt[0].claims"),
    Case("a value with a break", _CLIENT, {"jwt": [issuer(claims={"x": ["a\n"]})]}, "jwt[0].claims", _NO_TEXT_VALUE),
    Case("an audience with a break", _CLIENT, {"jwt": [issuer(audiences=["a\n"])]}, "jwt[0].audiences", _NO_TEXT),
    Case(
        "a claim with a space",
        _CLIENT,
        {"jwt": [issuer(userClaim="a b")]},
        "jwt[0].userClaim",
        "not the name of a claim",
    ),
    Case(
        "one person and many",
        _CLIENT,
        client(owner="alice@example.com", jwt=[issuer()]),
        "",
        "a client of one person identifies itself with that person's keys only; remove",
    ),
    Case("17 keys", _CLIENT, client(keys=[{"secretRef": SECRET}] * 17), "keys"),
    Case("no models for a client", _CLIENT, client(models=[]), "models"),
    Case("the same model twice", _CLIENT, client(models=["a", "a"]), "models"),
    Case("65 models for a client", _CLIENT, client(models=[f"m{i}" for i in range(65)]), "models"),
)
