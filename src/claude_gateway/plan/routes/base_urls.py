"""Warns of base URLs whose path is probably wrong."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.target import Wire
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import World

_ENDPOINTS: Final = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/messages",
    "/models",
    "/api/chat",
    "/api/generate",
    ":generatecontent",
    ":streamgeneratecontent",
)
_V1: Final = frozenset({"openai", "hosted_vllm"})
"""Providers whose servers have their endpoints below ``/v1``, as vLLM, Ollama and LM Studio do."""


def warnings(world: World) -> Iterator[Problem]:
    """Yield a warning for each base URL that ends in an endpoint, or that has no ``/v1`` where servers need it."""
    for route in world.routes:
        for placed in route.spec.all_targets if route.spec is not None else ():
            target = placed.target
            if target.base_url is not None:
                provider = target.model.partition("/")[0]
                yield from _warning(route.ref, provider, target.base_url, at=f"{placed.at}.baseURL")
    for item in world.credentials:
        api_key = None if item.spec is None else item.spec.api_key
        if api_key is not None and api_key.base_url is not None:
            yield from _warning(item.ref, api_key.provider, api_key.base_url, at="spec.apiKey.baseURL")


def _warning(owner: ObjectRef, provider: str, base_url: str, *, at: str) -> Iterator[Problem]:
    row = PROVIDERS.get(provider)
    path = urlsplit(base_url).path.rstrip("/")
    ending = next((path[-len(each) :] for each in _ENDPOINTS if path.lower().endswith(each)), None)
    if ending is not None:
        message = f"the base URL ends in `{ending}`, the path of one call"
        yield Problem(owner, at, Reason.BASE_URL_UNUSUAL, message, f"Remove `{ending}`.", severity=Severity.WARNING)
    elif not path and provider in _V1 and row is not None and row.wire is Wire.OPENAI:
        message = "the base URL has no path, and most servers of this kind expect `/v1`"
        fix = "Add `/v1`, unless the server has `/chat/completions` at its root."
        yield Problem(owner, at, Reason.BASE_URL_UNUSUAL, message, fix, severity=Severity.WARNING)
