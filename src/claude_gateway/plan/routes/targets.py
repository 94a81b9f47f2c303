"""Resolves the targets of a route; each becomes a target of the policy or a Problem."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.api.route_target import RouteTarget
from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.target import Parameters, Target
from claude_gateway.names import Kind, Reason
from claude_gateway.plan import clouds, rates
from claude_gateway.plan.credentials import subscriptions
from claude_gateway.plan.credentials.credentials import Credentials, Key, address_problem, provider_problem
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.routes import capabilities, forwarding, limits, pricing
from claude_gateway.plan.status.status import about_references
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class Resolved:
    """Return a route's targets that can serve, whether any target is valid in itself, and the Problems of the others.

    ``targets`` are by the name of their rule; those of the route itself are under None. ``mirror`` is None where the
    route has none, or one with a Problem: the route then serves without it.
    """

    targets: Mapping[str | None, tuple[Target, ...]]
    acceptable: bool
    problems: tuple[Problem, ...]
    mirror: Target | None = None


def resolve(route: Item[ModelRouteSpec], spec: ModelRouteSpec, world: World, credentials: Credentials) -> Resolved:
    """Resolve a route's targets; one with any Problem is left out, the others serve without it.

    If the route may not use a subscription, every target that would use it is left out.
    """
    resolved: dict[str | None, tuple[Target, ...]] = {}
    problems = list(subscriptions.route_problems(route, spec, credentials.people))
    refused = any(problem.severity is Severity.ERROR for problem in problems)
    acceptable = False
    mirror: Target | None = None
    for placed in spec.all_targets:
        at, target = placed.at, placed.target
        ref = _credential(route.ref, target.credential) if target.credential else None
        key = credentials.keys.get(ref) if ref else None
        found = [
            *_model_problems(route.ref, target, key, at),
            *_access_problems(route.ref, target, at, world, credentials),
        ]
        problems.extend(found)
        if refused and ref in credentials.people.subscriptions:
            continue
        if not placed.mirrors:
            acceptable = acceptable or all(about_references(problem) for problem in found)
        if not found:
            name = f"{route.ref.full_name}/{placed.label}"
            spent = None if key is None or target.credential is None else _credential(route.ref, target.credential)
            rendered = _target(name, target, key, credential=spent)
            if placed.mirrors:
                mirror = rendered
            else:
                resolved[placed.rule] = (*resolved.get(placed.rule, ()), rendered)
    problems = [_served_otherwise(problem, spec, resolved) for problem in problems]
    return Resolved(targets=resolved, acceptable=acceptable, problems=tuple(problems), mirror=mirror)


def _served_otherwise(
    problem: Problem, spec: ModelRouteSpec, resolved: Mapping[str | None, tuple[Target, ...]]
) -> Problem:
    """Return the Problem of a suspended credential, as a warning if the requests have another target."""
    if problem.reason is not Reason.CREDENTIAL_SUSPENDED:
        return problem
    placed = next(placed for placed in spec.all_targets if problem.field == f"{placed.at}.credential")
    return replace(problem, severity=Severity.WARNING) if placed.mirrors or resolved.get(placed.rule) else problem


@dataclass(frozen=True, slots=True)
class _Named:
    """A target as it is written: its provider and model, and the key that pays, if that is known."""

    owner: ObjectRef
    at: str
    target: RouteTarget
    provider: str
    model: str
    key: Key | None


def _model_problems(owner: ObjectRef, target: RouteTarget, key: Key | None, at: str) -> Iterator[Problem]:
    """Yield the first thing that is wrong with a target's model and formats; a later check relies on earlier ones."""
    provider, _, model = target.model.partition("/")
    named = _Named(owner, at, target, provider, model, key)
    found = (check(named) for check in (_unknown_provider, _odd_model, _other_region, _needs_bare_address, _formats))
    yield from islice((problem for problem in found if problem is not None), 1)


def _unknown_provider(named: _Named) -> Problem | None:
    return provider_problem(named.provider, owner=named.owner, at=f"{named.at}.model")


def _odd_model(named: _Named) -> Problem | None:
    return _model_problem(named.owner, named.model, f"{named.at}.model")


def _other_region(named: _Named) -> Problem | None:
    aws = None if named.key is None else named.key.aws
    refusal = clouds.refusal(named.provider, named.model, None if aws is None else aws.region)
    if refusal is None:
        return None
    fix = "Write the ID as the cloud lists it, without a region in front; the region comes from the credential."
    return Problem(named.owner, f"{named.at}.model", Reason.MODEL_NOT_ALLOWED, refusal, fix)


def _needs_bare_address(named: _Named) -> Problem | None:
    key = named.key
    if key is None or named.target.formats:
        return None
    if not clouds.needs_bare_address(named.provider, named.model, key.base_url):
        return None
    message = f"{key.base_url} has a path, and only Claude models can be called at such an address"
    fix = "Use a credential whose `baseURL` has no path; LiteLLM adds the path for this model."
    return Problem(named.owner, f"{named.at}.model", Reason.CREDENTIAL_MISMATCH, message, fix)


def _formats(named: _Named) -> Problem | None:
    if named.target.formats is None:
        return None
    return capabilities.problem(named.provider, named.target.formats, owner=named.owner, at=f"{named.at}.formats")


def _access_problems(
    owner: ObjectRef, target: RouteTarget, at: str, world: World, credentials: Credentials
) -> Iterator[Problem]:
    """Yield what is wrong with a target's address and credential."""
    provider = target.model.partition("/")[0]
    if target.credential is not None:
        problem = _credential_problem(owner, target.credential, provider, f"{at}.credential", world, credentials)
    elif target.forward_client_token:
        problem = forwarding.problem(target.base_url, world, owner=owner, at=f"{at}.baseURL")
    elif provider in PROVIDERS and (field := PROVIDERS[provider].credential) is not None:
        fix = f"Set `credential` to a ClaudeCredential with `{field}`, whose address is the only one that counts."
        message = f"a target of `{provider}` needs a credential"
        problem = Problem(owner, f"{at}.credential", Reason.INVALID, message, fix)
    else:
        problem = address_problem(target.base_url or "", world, owner=owner, at=f"{at}.baseURL")
    yield from [problem] if problem else []


def _model_problem(owner: ObjectRef, model: str, at: str) -> Problem | None:
    """Reject what LiteLLM or an upstream could take for something other than a model's name.

    A segment must not be an address (some providers accept one as a model), a step up a path, or a secret reference.
    """
    lower = model.lower()
    segments = lower.split("/")
    odd = any(segment in ("", ".", "..") or segment.startswith(("http:", "https:")) for segment in segments)
    if not odd and "os.environ" not in segments and not lower.startswith("oidc/"):
        return None
    message = "the model name could be read as an address, a path or a reference to a secret"
    return Problem(owner, at, Reason.MODEL_NOT_ALLOWED, message, "Write the model name as the provider lists it.")


def _credential_problem(
    owner: ObjectRef, name: str, provider: str, at: str, world: World, credentials: Credentials
) -> Problem | None:
    ref = _credential(owner, name)
    if ref in world.foreign:
        message = f"{ref} belongs to another release of the gateway"
        fix = "Remove its `gatewayRef`, or use another credential."
        return Problem(owner, at, Reason.CREDENTIAL_NOT_FOUND, message, fix)
    key = credentials.keys.get(ref)
    if key is not None:
        if key.provider == provider or provider not in PROVIDERS:
            # If the provider does not exist, the Problem of the model already says so.
            return None
        message = f"{ref} is for provider `{key.provider}`, but the target's model is of provider `{provider}`"
        field = PROVIDERS[provider].credential
        fix = f"Use a credential {f'with `{field}`' if field else f'whose provider is `{provider}`'}."
        return Problem(owner, at, Reason.CREDENTIAL_MISMATCH, message, fix)
    if ref in credentials.suspended:
        fix = "Remove `spec.suspend` of the ClaudeCredential to use the target again."
        return Problem(owner, at, Reason.CREDENTIAL_SUSPENDED, f"{ref} is suspended", fix)
    if ref in credentials.known:
        return Problem(
            owner,
            at,
            Reason.CREDENTIAL_NOT_USABLE,
            unusable(ref),
            "Fix the ClaudeCredential; its own conditions or messages say what is wrong.",
        )
    message = f"{ref} does not exist"
    there = sorted(known.name for known in credentials.known if known.namespace == owner.namespace)
    like = difflib.get_close_matches(name, there, n=1)
    fix = f"Create it in namespace {owner.namespace}, or use a ClaudeCredential that exists there."
    if like:
        fix = f"Did you mean `{like[0]}`? Otherwise create it in namespace {owner.namespace}."
    return Problem(owner, at, Reason.CREDENTIAL_NOT_FOUND, message, fix)


def unusable(credential: ObjectRef) -> str:
    """Return the message about a target whose credential has Problems of its own."""
    return f"{credential} cannot be used"


def _credential(owner: ObjectRef, name: str) -> ObjectRef:
    return ObjectRef(kind=Kind.CLAUDE_CREDENTIAL, namespace=owner.namespace, name=name)


def _target(name: str, target: RouteTarget, key: Key | None, *, credential: ObjectRef | None) -> Target:
    """Render a valid target; with a credential, the credential's address is the only one that counts."""
    provider, _, model = target.model.partition("/")
    able = capabilities.of(target, key)
    rendered = Target(
        id=name,
        provider=provider,
        model=model,
        wire=able.wire,
        formats=able.formats,
        base_url=able.base_url,
        secret=None if key is None else key.entry,
        login=None if key is None else key.login,
        **limits.of(target, able.wire, base_url=able.base_url),
        prices=pricing.own(target.prices),
        parameters=Parameters(
            temperature=target.parameters.temperature,
            top_p=target.parameters.top_p,
            reasoning_effort=target.parameters.reasoning_effort,
        ),
        weight=target.weight,
        priority=target.priority,
        aws=None if key is None else key.aws,
        google=None if key is None else key.google,
        federation=None if key is None else key.federation,
        credential=None if key is None or credential is None else key.name(credential),
        forward_client_token=bool(target.forward_client_token),
        verbatim=bool(target.verbatim),
        translation=able.translation,
        telemetry_provider=PROVIDERS[provider].telemetry,
        limits=rates.of(target.limits),
    )
    digest = hashlib.sha256(rendered.model_dump_json().encode()).hexdigest()
    return rendered.model_copy(update={"id": f"{name}.{digest[:8]}"})
