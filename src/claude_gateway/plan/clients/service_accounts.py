"""ServiceAccounts that identify clients: which ones a client may list, and the keys that verify their tokens.

A client names ServiceAccounts of its own namespace; one in the release's namespace may name any. Otherwise a tenant
could claim another one's pods, and their requests would arrive as those of the tenant's client, at the tenant's routes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from claude_gateway.api.gateway_client import ServiceAccount
from claude_gateway.contract.client import Client, ClusterIssuer
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import World


@dataclass(frozen=True, slots=True)
class ServiceAccounts:
    """The ServiceAccounts of each client, as ``<namespace>/<name>``."""

    listed: Mapping[ObjectRef, tuple[str, ...]]
    problems: tuple[Problem, ...]


def issuer(world: World, clients: Iterable[Client]) -> ClusterIssuer | None:
    """Return the issuer of ServiceAccount tokens; None if no client needs it or it is not known."""
    keys, audience = world.cluster, world.settings.audience
    if keys is None or audience is None or not any(client.service_accounts for client in clients):
        return None
    return ClusterIssuer(issuer=keys.issuer, audience=audience, keys=keys.keys)


def resolve(world: World) -> ServiceAccounts:
    """Resolve the ServiceAccounts of all clients; one that two clients list belongs to the older one."""
    holders: dict[str, ObjectRef] = {}
    listed: dict[ObjectRef, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for item in sorted(world.clients, key=lambda item: item.age):
        accounts = (item.spec.service_accounts if item.spec is not None else None) or ()
        found: list[str] = []
        for index, account in enumerate(accounts):
            problem = _claim(item.ref, account, world, holders, at=f"spec.serviceAccounts[{index}]")
            if problem is None:
                found.append(_name(item.ref, account))
            else:
                problems.append(problem)
        if found:
            listed[item.ref] = tuple(dict.fromkeys(found))
            problems.extend(_unverifiable(item.ref, world))
    return ServiceAccounts(listed=listed, problems=tuple(problems))


def _claim(
    ref: ObjectRef, account: ServiceAccount, world: World, holders: dict[str, ObjectRef], *, at: str
) -> Problem | None:
    namespace = account.namespace or ref.namespace
    if namespace != ref.namespace and ref.namespace != world.settings.namespace:
        message = f"a client in namespace {ref.namespace} may not name a ServiceAccount of namespace {namespace}"
        fix = (
            f"Write the GatewayClient in namespace {namespace}, or ask the operators of the gateway for one in "
            f"namespace {world.settings.namespace}."
        )
        return Problem(ref, f"{at}.namespace", Reason.SERVICE_ACCOUNT_NOT_ALLOWED, message, fix)
    holder = holders.setdefault(_name(ref, account), ref)
    if holder == ref:
        return None
    message = f"the ServiceAccount already belongs to {holder}"
    fix = "List it in one client, or use another ServiceAccount."
    return Problem(ref, f"{at}.name", Reason.SERVICE_ACCOUNT_TAKEN, message, fix, other=holder)


def _unverifiable(ref: ObjectRef, world: World) -> list[Problem]:
    """Report that nothing can verify the tokens: an error in a cluster, a warning elsewhere."""
    if world.cluster is not None:
        return []
    in_cluster = world.settings.audience is not None
    message = "tokens of ServiceAccounts can be verified in a cluster only"
    fix = "Add `keys` or `jwt` for use outside of a cluster."
    if in_cluster:
        message = "the operator cannot read the keys of the cluster's issuer (`/openid/v1/jwks`)"
        fix = "Bind the ClusterRole `system:service-account-issuer-discovery` to the operator's ServiceAccount."
    severity = Severity.ERROR if in_cluster else Severity.WARNING
    return [Problem(ref, "spec.serviceAccounts", Reason.ISSUER_UNKNOWN, message, fix, severity=severity)]


def _name(ref: ObjectRef, account: ServiceAccount) -> str:
    return f"{account.namespace or ref.namespace}/{account.name}"
