"""Client certificates that identify clients: whose names they may list, and which claim on a name comes first.

All namespaces share the authorities that the gateway trusts, so a tenant could list the names of another one's people
or pods, and their requests would arrive as those of the tenant's client, at the tenant's routes. A SPIFFE ID of pods
(``spiffe://DOMAIN/ns/NAMESPACE/...``) can be listed in its own namespace and the release's only. Of all other claims on
one certificate the release's own come first, then the oldest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from claude_gateway.contract.certificate_name import (
    NAMESPACE,
    SPIFFE,
    STAR,
    CertificateName,
    NameKind,
    patterns,
    spelled,
)
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import World

_Name = tuple[NameKind, str]
"""A name as the key under which its holders are looked up: cheap even for many names."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """The names of each client, and its rank: the lower one wins where a certificate has names of two clients."""

    names: Mapping[ObjectRef, tuple[CertificateName, ...]]
    ranks: Mapping[ObjectRef, int]
    problems: tuple[Problem, ...]


def resolve(world: World) -> Certificates:
    """Resolve the certificates of all clients; the release's own clients come first, then the oldest."""
    own = world.settings.namespace
    holders: dict[_Name, ObjectRef] = {}
    names: dict[ObjectRef, tuple[CertificateName, ...]] = {}
    problems: list[Problem] = []
    for item in sorted(world.clients, key=lambda item: (item.ref.namespace != own, item.age)):
        listed = (item.spec.certificates if item.spec is not None else None) or ()
        found: dict[CertificateName, None] = {}
        for index, certificate in enumerate(listed):
            ((field, value),) = certificate.names
            kind = NameKind(field)
            name = CertificateName(kind=kind, value=spelled(kind, value))
            at = f"spec.certificates[{index}].{name.kind}"
            problem = None if item.ref.namespace == own else _foreign(item.ref, name, at=at)
            problem = problem or _taken(item.ref, name, holders, at=at)
            if problem is None:
                found[name] = None
            else:
                problems.append(problem)
        if found:
            names[item.ref] = tuple(found)
            holders.update({each: item.ref for name in found if (each := (name.kind, name.value)) not in holders})
            problems.extend(_unverified(item.ref, world))
    return Certificates(names=names, ranks={ref: rank for rank, ref in enumerate(names)}, problems=tuple(problems))


def _unverified(ref: ObjectRef, world: World) -> list[Problem]:
    """Warn that the client is never recognized by its certificates, because nothing verifies them."""
    if world.settings.client_certificates:
        return []
    message = (
        "nothing verifies client certificates here, neither the gateway nor a proxy that it trusts, so they identify "
        "nobody"
    )
    fix = (
        "Start `serve` with --tls-client-ca, or set CLAUDE_GATEWAY_CLIENT_CERT_FORMAT for a proxy in front. Check "
        "files of an installation that verifies them with --client-certificates."
    )
    if world.settings.release is not None:
        fix = (
            "Ask the operators of the gateway to set `tls.clientCA` or `clients.proxyCertificates` in the values of "
            "the chart, or list `keys` or `jwt` instead."
        )
    return [Problem(ref, "spec.certificates", Reason.CERTIFICATES_UNVERIFIED, message, fix, severity=Severity.WARNING)]


def _foreign(ref: ObjectRef, name: CertificateName, *, at: str) -> Problem | None:
    """Return a Problem for a SPIFFE ID that is, or for a pattern that may match, one of another namespace's pods."""
    if name.kind is not NameKind.URI or not name.value.startswith(SPIFFE):
        return None
    _, *path = name.value.removeprefix(SPIFFE).split("/")
    begin = path[:2]
    # A pattern for the whole trust domain, or for all its namespaces, has its star in one of the first two segments.
    everybody = begin in ([STAR], [NAMESPACE, STAR])
    if not everybody and (begin[:1] != [NAMESPACE] or begin[1:] == [ref.namespace]):
        return None
    message = (
        f"a client in namespace {ref.namespace} may not list `{name.value}`: pods of other namespaces have such IDs"
    )
    fix = (
        f"List IDs that begin with `{SPIFFE}DOMAIN/{NAMESPACE}/{ref.namespace}/`, or ask the operators of the "
        "gateway for a GatewayClient in the release's namespace."
    )
    return Problem(ref, at, Reason.CERTIFICATE_NOT_ALLOWED, message, fix)


def _taken(ref: ObjectRef, name: CertificateName, holders: Mapping[_Name, ObjectRef], *, at: str) -> Problem | None:
    """Return a Problem for a name whose certificates all belong to an earlier client."""
    wider = patterns(name.value) if name.kind is NameKind.URI else ()
    found = next((each for each in (name.value, *wider) if holders.get((name.kind, each), ref) != ref), None)
    if found is None:
        return None
    holder = holders[name.kind, found]
    listed = "" if found == name.value else f", which lists `{found}`"
    message = f"certificates with this name already belong to {holder}{listed}"
    fix = "List the name in one client, or list a name that no earlier client has."
    return Problem(ref, at, Reason.CERTIFICATE_TAKEN, message, fix, other=holder)
