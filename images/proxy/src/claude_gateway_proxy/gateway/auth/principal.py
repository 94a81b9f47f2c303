"""The caller of a request, as one value: created once per request, used by everything that depends on the caller."""

from enum import StrEnum

import msgspec

from claude_gateway.contract.client import Client


class Proof(StrEnum):
    """How a caller proved who they are."""

    KEY = "key"
    JWT = "jwt"
    SERVICE_ACCOUNT = "serviceAccount"
    CERTIFICATE = "certificate"


class Principal(msgspec.Struct, frozen=True):
    """A caller: the client, and the person or program within it, if the proof names one.

    ``user``, ``team`` and ``groups`` come from a verified token or from the table of keys, and are empty where neither
    has them. ``user`` of a ServiceAccount is ``system:serviceaccount:<namespace>:<name>``, that of a certificate the
    name in it that the client lists.
    """

    client: Client
    proof: Proof = Proof.KEY
    user: str = ""
    team: str = ""
    groups: tuple[str, ...] = ()
