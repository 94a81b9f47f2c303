"""Models in clouds: valid ids, which of them are Claude, and the addresses for their requests.

LiteLLM takes regions and kinds of endpoints out of ids (``bedrock/<region>/...``, the region in an ARN), and route
authors write ids; so an id is accepted only if it can mean nothing but a model in the credential's own region.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.target import Aws, Google, Wire

BEDROCK: Final = "bedrock"
VERTEX: Final = "vertex_ai"

GOOGLE_TOKENS: Final = "https://oauth2.googleapis.com/token"
"""Where a service account's key is exchanged for a token; LiteLLM and google-auth would take any address."""

_ANY: Final = "*"
_ARN: Final = re.compile(
    r"arn:aws(?:-[a-z]{2,8}){0,3}:bedrock:(?P<region>[a-z0-9-]{6,32}):(?:[0-9]{12})?:"
    r"(?P<kind>foundation-model|inference-profile|application-inference-profile|provisioned-model|imported-model|"
    r"custom-model|custom-model-deployment|default-prompt-router|prompt-router)/(?P<id>[A-Za-z0-9][A-Za-z0-9._:-]*)"
)
_NAMELESS: Final = frozenset(("application-inference-profile", "provisioned-model"))
"""Kinds of ARN that do not name their model: teams create them to see what their use of Claude costs."""
_BEDROCK_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)+(?::[0-9]+(?::[0-9]+k)?)?")
_VERTEX_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(?:/[A-Za-z0-9][A-Za-z0-9._@-]*){0,2}")
_LITELLMS: Final = re.compile(r"(?:converse|invoke)/")
"""LiteLLM's prefixes for the two ways to call a Bedrock model: a user who writes one wants LiteLLM to make the call."""
_CLAUDE: Final = re.compile(r"(?:^|[./])anthropic\.claude")
_SUFFIXES: Final = {
    "cn-": "amazonaws.com.cn",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
"""Domains of AWS partitions with their own domain, by the prefix of the region."""


def refusal(provider: str, model: str, region: str | None) -> str | None:
    """Why a model's id cannot be used with a credential of ``region``, or None if it can; None for other providers."""
    if provider == VERTEX:
        return None if model == _ANY or _VERTEX_ID.fullmatch(model) else "not a Vertex AI model ID"
    if provider != BEDROCK or model == _ANY:
        return None
    plain = _LITELLMS.sub("", model, count=1)
    arn = _ARN.fullmatch(plain)
    if arn is not None and region is not None and arn["region"] != region:
        return f"the model is in region {arn['region']}, but the credential is for {region}"
    return None if arn or _BEDROCK_ID.fullmatch(plain) else "not a Bedrock model ID"


def claude_wire(provider: str, model: str) -> Wire | None:
    """The wire of a target whose model is Claude, or is named by the client; None for all others."""
    if provider == VERTEX:
        return Wire.VERTEX if model == _ANY or model.startswith("claude") else None
    arn = _ARN.fullmatch(model)
    nameless = arn is not None and arn["kind"] in _NAMELESS
    claude = model == _ANY or nameless or (_CLAUDE.search(model) and not _LITELLMS.match(model))
    return Wire.BEDROCK if claude else None


def needs_bare_address(provider: str, model: str, address: str | None) -> bool:
    """Whether an address has a path, which LiteLLM would take for the complete path of the model."""
    if provider != VERTEX or address is None or claude_wire(provider, model) is not None:
        return False
    return urlsplit(address).path != ""


def base_url(place: Aws | Google) -> str:
    """The cloud's own address for a region or location, which has been validated before."""
    if isinstance(place, Aws):
        beginnings = (beginning for beginning in _SUFFIXES if place.region.startswith(beginning))
        suffix = _SUFFIXES.get(next(beginnings, ""), "amazonaws.com")
        return f"https://bedrock-runtime.{place.region}.{suffix}"
    if place.location == "global":
        return "https://aiplatform.googleapis.com"
    if "-" not in place.location:
        return f"https://aiplatform.{place.location}.rep.googleapis.com"
    return f"https://{place.location}-aiplatform.googleapis.com"
