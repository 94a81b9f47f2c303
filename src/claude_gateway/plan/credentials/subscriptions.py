"""People's own Claude subscriptions: their owners, whom they may serve, and the logins in their Secrets.

A subscription serves only its owner: Anthropic does not permit routing other people's requests through it, or pooling
several of them. ``docs/terms.md`` says what is allowed and what to use instead.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.api.claude_credential import Subscription
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.login import CREDENTIALS_KEY, TOKEN_KEY, OAuth, parse_credentials, parse_token
from claude_gateway.contract.policy import Egress
from claude_gateway.names import LABEL_CREDENTIAL, Kind, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.secret import Secret, usable, value_of
from claude_gateway.plan.world import Item, Settings, World

KEYS: Final[Mapping[str, str]] = {"Login": CREDENTIALS_KEY, "SetupToken": TOKEN_KEY}
"""The key of the Secret that holds a login, by method."""

_AT: Final = "spec.subscription"
_TERMS: Final = "Anthropic's terms do not allow it, see docs/terms.md"
_TOKEN_PREFIXES: Final = ("sk-ant-oat", "sk-ant-ort")
"""Prefixes of login tokens; API keys have other prefixes."""


@dataclass(frozen=True, slots=True)
class Login:
    """The login of a credential: ``token`` is the access token, which is all that the data plane needs of it."""

    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class People:
    """The owner of each subscription and of each GatewayClient that names one."""

    subscriptions: Mapping[ObjectRef, str]
    clients: Mapping[ObjectRef, str | None]


def people(world: World) -> People:
    """Return the owners that the objects of a World name."""
    credentials = ((item.ref, item.spec.subscription) for item in world.credentials if item.spec is not None)
    return People(
        subscriptions={ref: subscription.owner for ref, subscription in credentials if subscription is not None},
        clients={item.ref: item.spec.owner for item in world.clients if item.spec is not None},
    )


def is_login(value: str) -> bool:
    """Return whether a value is a token of somebody's login and not an API key."""
    return value.lower().startswith(_TOKEN_PREFIXES)


def login_secrets(world: World) -> dict[str, tuple[str, ...]]:
    """Return the names of the Secrets that the sign-in service may write, by namespace.

    A Secret without the label belongs to somebody else: naming it in a credential must not make it writable.
    """
    found: dict[str, set[str]] = {}
    for item in world.credentials:
        subscription = None if item.spec is None else item.spec.subscription
        if subscription is None or world.settings.claude_code_url is None:
            continue
        ref = ObjectRef(kind=Kind.SECRET, namespace=item.ref.namespace, name=subscription.secret_name)
        if ref not in world.secrets or world.secrets[ref].labelled:
            found.setdefault(ref.namespace, set()).add(ref.name)
    return {namespace: tuple(sorted(names)) for namespace, names in sorted(found.items())}


def login_as_key(owner: ObjectRef, at: str) -> Problem:
    """Return the Problem of a login's token in place of an API key."""
    what = "the value is the token of a person's Claude login and not an API key, and only Claude Code may use it"
    return _shared(owner, at, what, fix="Write `subscription:` instead, or store a key of the Claude Console.")


def is_backend(base_url: str, settings: Settings) -> bool:
    """Return whether an address that somebody wrote is that of our own backend, by any of its Service's names."""
    if settings.claude_code_url is None:
        return False
    try:
        written, ours = urlsplit(base_url), urlsplit(settings.claude_code_url)
        same_port = (written.port or 80) == (ours.port or 80)
    except ValueError:
        return False
    one, other = ((part.hostname or "").rstrip(".").split(".") for part in (written, ours))
    return same_port and bool(one[0]) and all(left == right for left, right in zip(one, other, strict=False))


def egress(settings: Settings) -> Egress:
    """Return the egress rule of a data plane that also sends requests to our own backend.

    No author can write the backend's address, so what authors may write does not change.
    """
    host = urlsplit(settings.claude_code_url or "").hostname
    rule = settings.egress
    return rule if host is None or host in rule.hosts else rule.model_copy(update={"hosts": (*rule.hosts, host)})


def backend_as_server(owner: ObjectRef, at: str) -> Problem:
    """Return the Problem of a target or credential whose address is our own backend."""
    what = "the address is that of the Claude Code backend, where only the targets `claude-code/...` go"
    return _shared(owner, at, what, fix="Use a target `claude-code/...` with the owner's `subscription` credential.")


class Logins:
    """Reads the logins of one World, the oldest credential first: each login belongs to one credential."""

    def __init__(self, world: World) -> None:
        """Start without any login."""
        self._world = world
        self._secrets: dict[tuple[str, str], ObjectRef] = {}
        self._tokens: dict[bytes, ObjectRef] = {}
        self._accounts: dict[str, tuple[str, ObjectRef]] = {}

    def read(self, owner: ObjectRef, subscription: Subscription) -> Login | Problem:
        """Return the login of a credential, or why there is none that it may use."""
        if self._world.settings.claude_code_url is None:
            return _off(owner)
        holder = self._secrets.setdefault((owner.namespace, subscription.secret_name), owner)
        if holder != owner:
            what = f"Secret {owner.namespace}/{subscription.secret_name} already belongs to {holder}"
            return _shared(owner, f"{_AT}.secretName", what)
        found = _stored(self._world, owner, subscription)
        if isinstance(found, Problem):
            return found
        value, secret = found
        if subscription.method == "SetupToken":
            token = parse_token(value)
            if isinstance(token, str):
                return _unreadable(owner, subscription, token, self._world.settings)
            return self._claimed(owner, token.access_token)
        login = parse_credentials(value)
        if isinstance(login, str):
            return _unreadable(owner, subscription, login, self._world.settings)
        wrong = _other_writer(owner, login, secret, self._world.settings) or self._account(owner, subscription, login)
        return wrong or self._claimed(owner, login.access_token, login.refresh_token)

    def _account(self, owner: ObjectRef, subscription: Subscription, login: OAuth) -> Problem | None:
        """Claim the login's account for one person."""
        if login.account_uuid is None:
            return None
        person, holder = self._accounts.setdefault(login.account_uuid, (subscription.owner, owner))
        if person == subscription.owner:
            return None
        what = f"the account is that of {holder}, whose owner is `{person}`"
        return _shared(owner, f"{_AT}.owner", what)

    def _claimed(self, owner: ObjectRef, access: str, refresh: str | None = None) -> Login | Problem:
        """Claim the tokens for one credential; a copy of the login in another Secret is the same login."""
        for token in filter(None, (access, refresh)):
            holder = self._tokens.setdefault(hashlib.sha256(token.encode()).digest(), owner)
            if holder != owner:
                return _shared(owner, f"{_AT}.secretName", f"the login in the Secret is also that of {holder}")
        return Login(token=access.encode())


def route_problems(route: Item[ModelRouteSpec], spec: ModelRouteSpec, known: People) -> Iterator[Problem]:
    """Yield why a route may not use the subscription that it names: it could serve others than its owner."""
    used = dict(_used(route.ref, spec, known))
    if not used:
        return
    first, *others = dict.fromkeys(used.values())
    for at, ref in used.items():
        if ref in others:
            what = f"the route already uses the login of {first}, and one login never replaces another"
            yield _shared(route.ref, at, what, fix="Use one login in a route, and make a route for each login.")
    owner = known.subscriptions[first]
    allowed = spec.allowed_clients
    if allowed.clients is None:
        what = f"the route uses the subscription of `{owner}`, but more clients than that person's may use the route"
        fix = f"Set `from: Clients`, and list the GatewayClients whose `owner` is `{owner}` in `clients`."
        yield _shared(route.ref, "spec.allowedClients.from", what, fix=fix)
        return
    for index, name in enumerate(allowed.clients):
        client = ObjectRef(kind=Kind.GATEWAY_CLIENT, namespace=route.ref.namespace, name=name)
        yield from _client_problems(route.ref, client, owner, known, at=f"spec.allowedClients.clients[{index}]")


def _used(route: ObjectRef, spec: ModelRouteSpec, known: People) -> Iterator[tuple[str, ObjectRef]]:
    """Yield each field of a route that names a subscription, with the subscription."""
    for placed in spec.all_targets:
        name = placed.target.credential
        if name is not None:
            ref = ObjectRef(kind=Kind.CLAUDE_CREDENTIAL, namespace=route.namespace, name=name)
            if ref in known.subscriptions:
                yield f"{placed.at}.credential", ref


def _client_problems(route: ObjectRef, client: ObjectRef, owner: str, known: People, *, at: str) -> Iterator[Problem]:
    if client not in known.clients:
        message = f"{client} does not exist"
        fix = f"Create it with `owner: {owner}`, or remove it from the list."
        yield Problem(route, at, Reason.CLIENT_NOT_FOUND, message, fix, severity=Severity.WARNING)
    elif (person := known.clients[client]) != owner:
        whose = "has no `owner`" if person is None else f"belongs to `{person}`"
        what = f"{client} {whose}, but the route uses the subscription of `{owner}`"
        fix = f"Remove it from the list, or set its `owner` to `{owner}` if nobody else uses it."
        yield _shared(route, at, what, fix=fix)


def _stored(world: World, owner: ObjectRef, subscription: Subscription) -> tuple[bytes, Secret] | Problem:
    """Return the value that holds the login, with its Secret."""
    key = KEYS[subscription.method]
    at = f"{_AT}.secretName"
    wanted = subscription.secret
    secret = usable(world.secrets, wanted, owner=owner, at=_AT, unreadable=world.unreadable)
    if isinstance(secret, Problem):
        absent = secret.reason is Reason.SECRET_NOT_FOUND
        return _not_signed_in(owner, subscription, world.settings) if absent else _at(secret, at)
    value = value_of(secret, key, owner=owner, at=at)
    if isinstance(value, Problem) or not value.strip():
        return _not_signed_in(owner, subscription, world.settings)
    return value, secret


def _at(problem: Problem, at: str) -> Problem:
    return Problem(problem.object, at, problem.reason, problem.message, problem.fix)


def _not_signed_in(owner: ObjectRef, subscription: Subscription, settings: Settings) -> Problem:
    name = f"{owner.namespace}/{subscription.secret_name}"
    message = f"nobody has signed in: Secret {name} has no `{KEYS[subscription.method]}`"
    return Problem(owner, f"{_AT}.secretName", Reason.NOT_SIGNED_IN, message, _sign_in(owner, subscription, settings))


def _unreadable(owner: ObjectRef, subscription: Subscription, wrong: str, settings: Settings) -> Problem:
    message = f"Secret {owner.namespace}/{subscription.secret_name} holds no login that can be used: {wrong}"
    fix = _sign_in(owner, subscription, settings)
    return Problem(owner, f"{_AT}.secretName", Reason.SECRET_VALUE_INVALID, message, fix)


def _sign_in(owner: ObjectRef, subscription: Subscription, settings: Settings) -> str:
    """Say how to sign in: on the page, where one is known, or with the command."""
    page = f" at {settings.claude_auth_url}" if settings.claude_auth_url else ""
    command = f"`claude-gateway login {owner.name}`"
    by_hand = ""
    if subscription.method == "SetupToken":
        by_hand = (
            f" A token of `claude setup-token` can also be stored by hand, under `{TOKEN_KEY}` in a Secret labelled "
            f'{LABEL_CREDENTIAL}: "true".'
        )
    return f"Sign in{page} or with {command}.{by_hand}" if page else f"Sign in with {command}.{by_hand}"


def _other_writer(owner: ObjectRef, login: OAuth, secret: Secret, settings: Settings) -> Problem | None:
    """Return the Problem of a login whose next token another writer of the Secret would overwrite."""
    if login.refresh_token is None or secret.login_writer is None:
        return None
    name = f"{owner.namespace}/{secret.ref.name}"
    message = (
        f"Secret {name} is also written by {secret.login_writer}, but the login in it is refreshed: each refresh "
        "replaces its tokens, and the older ones that another writer restores are refused"
    )
    page = f" at {settings.claude_auth_url}" if settings.claude_auth_url else ""
    fix = (
        f"Delete the Secret and sign in{page}, or import the file with `claude-gateway login {owner.name} --import "
        "FILE`. A Secret that another tool writes can hold a token of `claude setup-token` (`method: SetupToken`)."
    )
    return Problem(owner, f"{_AT}.secretName", Reason.SECRET_HAS_OTHER_WRITER, message, fix)


def _off(owner: ObjectRef) -> Problem:
    fix = (
        "Use an `apiKey`, `bedrock` or `vertex` credential, or ask the operators of the gateway to run Claude Code "
        "(`claudeCode.enabled`), after all of you read docs/terms.md."
    )
    message = "this installation does not run Claude Code for people's own subscriptions"
    return Problem(owner, _AT, Reason.SUBSCRIPTIONS_OFF, message, fix)


def _shared(owner: ObjectRef, at: str, what: str, *, fix: str = "") -> Problem:
    """Return the Problem of a subscription that would be shared."""
    usual = "Sign each owner in with a login and a Secret of their own, or use an API key or a cloud for a team."
    message = f"{what}; a subscription serves its one owner alone ({_TERMS})"
    return Problem(owner, at, Reason.SUBSCRIPTION_SHARED, message, fix or usual)
