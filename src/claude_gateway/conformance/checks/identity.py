"""Who is calling: the key in either header, a gateway key beside the client's own login, and none of it upstream."""

from typing import Final

from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.errors import WRONG
from claude_gateway.conformance.client import Headers
from claude_gateway.conformance.requirement import Need, Source, expect
from claude_gateway.conformance.upstream import Seen, digest

LOGIN: Final = "sk-ant-oat01-conformance-own-login-000000"
"""What stands for a person's own login in these checks; it is worth nothing."""
OAUTH: Final = "oauth-2025-04-20"


def _in(bench: Bench, auth: Headers, said: str) -> str:
    bench.messages(bench.body(), auth=auth).expect(200)
    return f"200 with {said}"


def _values(seen: Seen) -> str:
    return " ".join(value for _, value in seen.headers)


@check("identity.bearer", "The key as `Authorization: Bearer` (ANTHROPIC_AUTH_TOKEN)")
def bearer(bench: Bench) -> str:
    return _in(bench, [bench.bearer], "Authorization")


@check("identity.x-api-key", "The key as `x-api-key` (ANTHROPIC_API_KEY)")
def api_key(bench: Bench) -> str:
    return _in(bench, [("x-api-key", bench.key)], "x-api-key")


@check(
    "identity.form",
    "The gateway's keys do not begin with `sk-ant-`: such keys Claude Code also sends to Anthropic itself",
    source=Source.MEASURED,
)
def form(bench: Bench) -> str:
    expect(not bench.key.startswith("sk-ant-"), "the key begins with sk-ant-")
    return "the key begins otherwise"


@check("identity.both", "The key in both headers, as a key helper sends it")
def both(bench: Bench) -> str:
    return _in(bench, [bench.bearer, ("x-api-key", bench.key)], "both headers")


@check(
    "identity.prefers-authorization",
    "Two different values: `Authorization` decides",
    Need.KEYS,
    source=Source.MEASURED,
)
def prefers(bench: Bench) -> str:
    _in(bench, [bench.bearer, ("x-api-key", WRONG)], "a strange x-api-key")
    reply = bench.messages(bench.body(), auth=[("authorization", f"Bearer {WRONG}"), ("x-api-key", bench.key)])
    expect(reply.status == 401, f"{reply}: 401 was expected, for the unknown bearer token")
    return "200 with the key in Authorization, 401 with the key only in x-api-key"


@check(
    "identity.hidden",
    "The client's key never reaches the upstream, which sees the gateway's own credential",
    Need.UPSTREAM,
)
def hidden(bench: Bench) -> str:
    for auth in ([bench.bearer], [("x-api-key", bench.key)], [bench.bearer, ("x-api-key", bench.key)]):
        bench.messages(bench.body(), auth=auth).expect(200)
        seen = bench.seen()
        expect(bench.key not in _values(seen), "the client's key arrived in a header")
        expect(digest(bench.key) not in _values(seen), "the client's key arrived as credential")
        expect(seen.header("x-api-key") or seen.header("authorization"), "no credential arrived at all")
    return "another credential arrived, thrice"


@check(
    "identity.gateway-key",
    "The key in a header of its own (`x-gateway-key`), raw or as `Bearer`, identifies the client",
    Need.FORWARDING,
    Need.KEYS,
    source=Source.PROJECT,
)
def gateway_key(bench: Bench) -> str:
    for value in (bench.key, f"Bearer {bench.key}"):
        _in(bench, [(bench.options.key_header, value)], "a header of its own")
        _in(bench, [(bench.options.key_header, value), ("authorization", f"Bearer {LOGIN}")], "that and a login")
    reply = bench.messages(bench.body(), auth=[(bench.options.key_header, WRONG), bench.bearer])
    expect(reply.status == 401, f"{reply}: 401 was expected for an unknown key")
    return "200 raw and as Bearer, 401 for an unknown one"


@check(
    "identity.forward.oauth",
    "A forwarding route sends the client's own OAuth login on as it came, with its `oauth` beta, and no gateway key",
    Need.UPSTREAM,
    Need.FORWARDING,
    source=Source.MEASURED,
)
def forward_oauth(bench: Bench) -> str:
    auth = [
        (bench.options.key_header, bench.key),
        ("authorization", f"Bearer {LOGIN}"),
        ("anthropic-beta", f"{OAUTH},a-b"),
    ]
    bench.messages(bench.body(model=bench.models.forward), auth=auth).expect(200)
    seen = bench.seen()
    expect(seen.header("authorization") == f"Bearer {digest(LOGIN)}", f"authorization {seen.header('authorization')!r}")
    expect(OAUTH in seen.all("anthropic-beta"), f"anthropic-beta {seen.header('anthropic-beta')!r}")
    expect(not seen.header("x-api-key"), "an x-api-key was added")
    expect(
        not seen.header(bench.options.key_header) and bench.key not in _values(seen), "the gateway key arrived upstream"
    )
    return "the login and its beta arrived, the gateway key did not"


@check(
    "identity.forward.api-key",
    "The same for an API key of the client's own in `x-api-key`",
    Need.UPSTREAM,
    Need.FORWARDING,
    source=Source.PROJECT,
)
def forward_key(bench: Bench) -> str:
    auth = [(bench.options.key_header, f"Bearer {bench.key}"), ("x-api-key", LOGIN)]
    bench.messages(bench.body(model=bench.models.forward), auth=auth).expect(200)
    seen = bench.seen()
    expect(seen.header("x-api-key") == digest(LOGIN), f"x-api-key {seen.header('x-api-key')!r}")
    expect(not seen.header("authorization"), "an authorization was added")
    return "the key arrived in its header"


@check(
    "identity.forward.not-elsewhere",
    "The client's own login goes to no route that has a credential of its own",
    Need.UPSTREAM,
    Need.FORWARDING,
    source=Source.PROJECT,
)
def not_elsewhere(bench: Bench) -> str:
    auth = [(bench.options.key_header, bench.key), ("authorization", f"Bearer {LOGIN}"), ("x-api-key", LOGIN)]
    bench.messages(bench.body(), auth=auth).expect(200)
    seen = bench.seen()
    expect(digest(LOGIN) not in _values(seen) and LOGIN not in _values(seen), "the login arrived")
    expect(seen.header("x-api-key") or seen.header("authorization"), "no credential arrived at all")
    return "the gateway's own credential arrived"


@check(
    "identity.forward.refused",
    "401 and 403 on the client's own login go back as they are, so that Claude Code signs in again",
    Need.UPSTREAM,
    Need.FORWARDING,
    source=Source.MEASURED,
)
def forward_refused(bench: Bench) -> str:
    auth = [(bench.options.key_header, bench.key), ("authorization", f"Bearer {LOGIN}")]
    for status, kind in ((401, "authentication_error"), (403, "permission_error")):
        bench.script(status=status, error_type=kind, error_message="OAuth token has expired")
        reply = bench.messages(bench.body(model=bench.models.forward), auth=auth).expect(status)
        expect(reply.json["error"]["type"] == kind, str(reply))
    return str(reply)


@check(
    "identity.forward.needs-login",
    "A forwarding route asked without a login of the client's own does not send the gateway's key instead",
    Need.UPSTREAM,
    Need.FORWARDING,
    source=Source.PROJECT,
)
def needs_login(bench: Bench) -> str:
    reply = bench.messages(bench.body(model=bench.models.forward))
    expect(400 <= reply.status < 500, f"{reply}: a client error was expected")
    expect(not bench.all_seen(), "a request went upstream")
    return str(reply)


CHECKS: Final = (
    bearer,
    api_key,
    form,
    both,
    prefers,
    hidden,
    gateway_key,
    forward_oauth,
    forward_key,
    not_elsewhere,
    forward_refused,
    needs_login,
)
