"""What namespaces may do with each other's routes: who may use one, and whose names are whose.

A set of namespaces is written as a tuple; ``("*",)`` is every namespace, as a frozenset it is None.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeVar

from claude_gateway.contract.route import Route

ALL: Final = "*"

Namespaces = frozenset[str] | None
"""A set of namespaces; None is every namespace."""


class Claim(Protocol):
    """A claim on a model name. ``admits`` are the namespaces whose claims the owner lets in under its own."""

    @property
    def namespace(self) -> str: ...
    @property
    def admits(self) -> Namespaces: ...


ClaimT = TypeVar("ClaimT", bound=Claim)


def namespace_of(name: str) -> str:
    """Return the namespace in an object's full name, ``<namespace>/<name>``."""
    return name.partition("/")[0]


def namespaces(written: Iterable[str], *own: str) -> Namespaces:
    """Return the set of namespaces that a route writes, together with those that always belong to it."""
    found = frozenset((*written, *own))
    return None if ALL in found else found


def users(route: Route, release: str) -> Namespaces:
    """Return the namespaces whose clients may all use a route: its own, the release's, and those that it admits.

    There is none for a route that lists the only clients that may use it.
    """
    if route.only_clients is not None:
        return frozenset()
    return namespaces(route.clients_from, namespace_of(route.name), release)


def may_use(route: Route, client: str, *, release: str) -> bool:
    """Return whether a client, by its full name, may use a route."""
    if route.only_clients is not None:
        return client in route.only_clients
    return includes(users(route, release), namespace_of(client))


def includes(found: Namespaces, namespace: str) -> bool:
    """Return whether a namespace is in a set."""
    return found is None or namespace in found


def excludes(claim: Claim, namespace: str) -> bool:
    """Return whether a claim keeps younger claims of a namespace out."""
    return claim.namespace != namespace and not includes(claim.admits, namespace)


def eligible(oldest_first: Iterable[ClaimT]) -> Iterator[ClaimT]:
    """Yield the claims on one name that count: those that no older one of another namespace keeps out.

    A claim that does not count excludes no other claim.
    """
    admitted: Namespaces = None
    for claim in oldest_first:
        if not includes(admitted, claim.namespace):
            continue
        yield claim
        if claim.admits is not None:
            mine = claim.admits | {claim.namespace}
            admitted = mine if admitted is None else admitted & mine
