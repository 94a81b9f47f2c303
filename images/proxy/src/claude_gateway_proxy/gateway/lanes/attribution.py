"""Sends the caller's name to a cloud, if the credential enables it, so that the cloud's bill is split by caller.

Bedrock takes a JSON object in ``X-Amzn-Bedrock-Request-Metadata`` and notes it in its invocation logs; at most 16
pairs of 256 characters. Vertex AI takes one in ``X-Vertex-AI-Labels``, in base64, and notes it on the bill; keys and
values have at most 63 lower-case letters, digits, ``_`` and ``-``. A role at AWS takes session tags of 256 letters,
digits, spaces and ``_.:/=+-@``. Sources: "Per-request metadata tagging" of the Bedrock user guide; "Custom metadata
labels" of the Vertex AI documentation; "Pass session tags in AWS STS" of the IAM user guide.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from claude_gateway.contract.target import Attribution, Target
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.identities.role import Session

BEDROCK: Final = "x-amzn-bedrock-request-metadata"
VERTEX: Final = "x-vertex-ai-labels"

_LONGEST_VALUE: Final = 256
_LONGEST_LABEL: Final = 63
_NOT_OF_BEDROCK: Final = re.compile(r"[^a-zA-Z0-9 :_@$#=/+,.-]")
_NOT_OF_VERTEX: Final = re.compile(r"[^a-z0-9_-]")
_NOT_OF_A_TAG: Final = re.compile(r"[^\w .:/=+@-]")
_NOT_OF_A_SESSION: Final = re.compile(r"[^a-zA-Z0-9_+=,.@-]")
_LONGEST_SESSION: Final = 64


def attribution(target: Target, principal: Principal) -> Mapping[str, str]:
    """Return the header that names the caller; empty if the credential does not enable it.

    It replaces the caller's own header, so that a caller cannot charge a request to another one.
    """
    if target.aws is not None and target.aws.attribution:
        found = _named(target.aws.attribution, principal)
        values = {name: _NOT_OF_BEDROCK.sub("_", value)[:_LONGEST_VALUE] for name, value in found.items()}
        return {BEDROCK: msgspec.json.encode(values).decode()}
    if target.google is not None and target.google.attribution:
        found = _named(target.google.attribution, principal)
        labels = {name: _NOT_OF_VERTEX.sub("_", value.lower())[:_LONGEST_LABEL] for name, value in found.items()}
        return {VERTEX: b64encode(msgspec.json.encode(labels)).decode()}
    return {}


def role_session(target: Target, principal: Principal) -> Session | None:
    """Return the session of the role that the target's credential assumes for a caller; None if it assumes none.

    AWS's records have the caller's name if the credential enables it.
    """
    if target.aws is None or target.aws.role is None:
        return None
    found = _named(target.aws.role.session_tags, principal)
    tags = tuple((name, _NOT_OF_A_TAG.sub("_", value)[:_LONGEST_VALUE]) for name, value in found.items())
    session = Session(target.aws.role, target.aws.region, tags)
    named = _NOT_OF_A_SESSION.sub("_", found.get(Attribution.CLIENT.value.lower(), ""))[:_LONGEST_SESSION]
    return replace(session, name=named) if named else session


def _named(wanted: tuple[Attribution, ...], principal: Principal) -> Mapping[str, str]:
    """Return the requested facts about the caller that are known; a caller without a team has no team here."""
    known = {
        Attribution.CLIENT: principal.client.name,
        Attribution.TEAM: principal.team,
        Attribution.USER: principal.user,
    }
    return {each.value.lower(): known[each] for each in wanted if known[each]}
