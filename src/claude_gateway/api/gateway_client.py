"""GatewayClient: who may call the gateway, and which model names they may use."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from claude_gateway.api.base import (
    GATEWAY_REF,
    BaseUrl,
    GatewayRef,
    ModelPattern,
    Namespace,
    ObjectName,
    Owner,
    SecretKeyRef,
    Spec,
)
from claude_gateway.api.brake import Brake
from claude_gateway.api.certificate import Certificate
from claude_gateway.api.limits import Limits
from claude_gateway.api.proof import ClaimName, ClaimValue, KeyHash, Text, Timestamp
from claude_gateway.api.rule import Items, Rule

LONGEST_CLAIM: Final = 128
"""Characters of the name of a claim."""


class ClientKey(Spec):
    """A key that identifies the client, or a list of people with the hashes of their keys."""

    secret_ref: SecretKeyRef | None = Field(
        default=None,
        description=(
            "Where the key is stored, or its hash as `sha256:HEX`. At least 16 characters; `claude-gateway key new` "
            "makes one."
        ),
    )
    hash: KeyHash | None = Field(
        default=None,
        description=(
            "SHA-256 of the key as `sha256:HEX`, so that the key itself is nowhere in the cluster. Only for keys that "
            "nobody can guess, such as those of `claude-gateway key new`."
        ),
    )
    hashes_from: SecretKeyRef | None = Field(
        default=None,
        description=(
            "A list of people, each with the hash of a key: lines of `PERSON sha256:HEX [team=TEAM] [expires=TIME]`, "
            "at most 10,000. Several lines for one person allow rotation. Default key: `key`."
        ),
    )
    user: Owner | None = Field(
        default=None, description="The one person who has the key, for logs and rules. Default: none."
    )
    team: Owner | None = Field(default=None, description="The team of that person. Default: none.")
    expires_at: Timestamp | None = Field(
        default=None,
        description=(
            "When the key ends, such as `2027-01-31T00:00:00Z`: the gateway rejects it from that moment on. "
            "Default: never."
        ),
    )
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.secretRef), has(self.hash), has(self.hashesFrom)].filter(x, x).size() == 1",
            holds=lambda key: sum(each is not None for each in (key.secret_ref, key.hash, key.hashes_from)) == 1,
            wrong="the key is not in exactly one place",
            fix="set one of `secretRef`, `hash` and `hashesFrom`",
        ),
        Rule(
            cel="!has(self.hashesFrom) || !(has(self.user) || has(self.team) || has(self.expiresAt))",
            holds=lambda key: key.hashes_from is None or not (key.user or key.team or key.expires_at),
            wrong="a list of hashes has its own people and ends",
            fix="remove `user`, `team` and `expiresAt`, and write them in the lines of the list",
        ),
    )


class ServiceAccount(Spec):
    """A ServiceAccount of the cluster."""

    name: ObjectName = Field(description="Name of the ServiceAccount.")
    namespace: Namespace | None = Field(
        default=None,
        description=(
            "Namespace of the ServiceAccount; only clients in the release's own namespace may name another one than "
            "theirs. Default: the client's namespace."
        ),
    )


class Jwt(Spec):
    """Signed tokens of one issuer that identify the client."""

    issuer: BaseUrl | None = Field(
        default=None,
        description=(
            "The `iss` of the tokens, exactly as they have it. Its keys are found by OpenID Connect discovery. "
            "Required without `secretRef`."
        ),
    )
    jwks_url: BaseUrl | None = Field(
        default=None, description="Where the issuer's public keys are. Default: where its discovery document says."
    )
    secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="The secret of tokens that are signed with HS256, at least 32 characters. Default: public keys.",
    )
    audiences: Annotated[tuple[Text, ...], Items("audience", most=16, unique=True)] | None = Field(
        default=None,
        description=(
            "Values of which `aud` must have one. Required without `secretRef`; with it, the default is tokens without "
            "`aud`."
        ),
    )
    claims: dict[str, Annotated[tuple[ClaimValue, ...], Items("value", most=32)]] | None = Field(
        default=None,
        max_length=16,
        description=(
            "Claims that the token must have, each with the values of which it must have one, such as "
            "`groups: [platform]`. A name with dots is also read as a path. Default: none."
        ),
    )
    user_claim: ClaimName = Field(default="sub", description="The claim that names the person. Default: `sub`.")
    team_claim: ClaimName = Field(default="team", description="The claim that names the team. Default: `team`.")
    groups_claim: ClaimName = Field(default="groups", description="The claim with the groups. Default: `groups`.")
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.secretRef) || (has(self.issuer) && has(self.audiences))",
            holds=lambda jwt: jwt.secret_ref is not None or (jwt.issuer is not None and jwt.audiences is not None),
            wrong="the tokens of an issuer with public keys need an issuer and an audience",
            fix="set `issuer` and `audiences`, or `secretRef` for HS256",
        ),
        Rule(
            cel="!has(self.claims) || self.claims.all(name, name.size() > 0 && name.size() <= 128)",
            holds=lambda jwt: all(0 < len(name) <= LONGEST_CLAIM for name in jwt.claims or ()),
            wrong="the name of a claim is empty or too long",
            fix="write names of 1 to 128 characters in `claims`",
        ),
        Rule(
            cel="!(has(self.secretRef) && has(self.jwksURL))",
            holds=lambda jwt: jwt.secret_ref is None or jwt.jwks_url is None,
            wrong="tokens are signed with a secret or with public keys, not with both",
            fix="remove `secretRef` or `jwksURL`",
        ),
    )


class GatewayClientSpec(Spec):
    """Who may call the gateway, and which model names they may use."""

    keys: Annotated[tuple[ClientKey, ...], Items("key", most=16)] | None = Field(
        default=None,
        description="Keys that identify the client. Two at the same time allow rotation without downtime.",
    )
    service_accounts: Annotated[tuple[ServiceAccount, ...], Items("ServiceAccount", most=64)] | None = Field(
        default=None,
        description=(
            "ServiceAccounts that identify the client: pods call with a projected token whose audience is that of the "
            "release. Only in a cluster."
        ),
    )
    jwt: Annotated[tuple[Jwt, ...], Items("issuer", most=8)] | None = Field(
        default=None,
        description="Signed tokens that identify the client, such as those of the company's identity provider.",
    )
    certificates: Annotated[tuple[Certificate, ...], Items("certificate", most=64)] | None = Field(
        default=None,
        description=(
            "Client certificates that identify the client, where the gateway verifies them or a proxy in front does. "
            "Outside of the release's namespace, SPIFFE IDs of pods only of the client's own namespace."
        ),
    )
    models: Annotated[tuple[ModelPattern, ...], Items("model", most=64, unique=True)] = Field(
        default=("*",),
        description="Model names that the client may use; `*` matches any run of characters. Default: `*`, all models.",
    )
    owner: Owner | None = Field(
        default=None,
        description=(
            "The one person who uses the client, such as `alice@example.com`. Needed only for that person's own "
            "`subscription`: nobody else's clients may use it. Default: none."
        ),
    )
    claude_settings: str | None = Field(
        default=None,
        min_length=2,
        max_length=32768,
        description=(
            "Settings of Claude Code for the people of this client who sign in at the gateway (`claude auth login`), "
            "as JSON: the content of a `managed-settings.json`. Not a place for secrets. Default: none."
        ),
    )
    suspend: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether new requests of the client are refused, with 429 and a sentence that says so. Answers that have "
            "begun go on to their end. Its keys stay its own. Default: false."
        ),
    )
    limits: Limits | None = Field(
        default=None, description="How much all requests of the client together may ask for. Default: no limits."
    )
    priority: Literal["Interactive", "Batch"] = Field(
        default="Interactive",
        description=(
            "Which requests come first while requests wait for a limit: those of `Interactive` clients, where people "
            "wait for answers, before those of `Batch` clients. Default: `Interactive`."
        ),
    )
    brake: Brake | None = Field(
        default=None,
        description=(
            "Stops runaway sessions and agents: `{}` uses the default limits. Default: none, nothing is stopped."
        ),
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.keys) || has(self.serviceAccounts) || has(self.jwt) || has(self.certificates)",
            holds=lambda spec: spec.keys is not None or _without_keys(spec),
            wrong="nothing says how the client identifies itself",
            fix="list at least one of `keys`, `serviceAccounts`, `jwt` and `certificates`",
        ),
        Rule(
            cel="!has(self.owner) || (!has(self.serviceAccounts) && !has(self.jwt) && !has(self.certificates) && "
            "(!has(self.keys) || self.keys.all(k, !has(k.hashesFrom))))",
            holds=lambda spec: spec.owner is None or not _for_several(spec),
            wrong="a client of one person identifies itself with that person's keys only",
            fix="remove `owner`, or `serviceAccounts`, `jwt`, `certificates` and `hashesFrom`",
        ),
    )

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The names of the Secrets that it refers to."""
        refs = [ref for key in self.keys or () for ref in (key.secret_ref, key.hashes_from)]
        refs += [jwt.secret_ref for jwt in self.jwt or ()]
        return tuple(ref.name for ref in refs if ref is not None)


def _for_several(spec: GatewayClientSpec) -> bool:
    """Whether several people or programs may be the client."""
    return _without_keys(spec) or any(key.hashes_from is not None for key in spec.keys or ())


def _without_keys(spec: GatewayClientSpec) -> bool:
    """Whether anything but a key identifies the client."""
    return spec.service_accounts is not None or spec.jwt is not None or spec.certificates is not None
