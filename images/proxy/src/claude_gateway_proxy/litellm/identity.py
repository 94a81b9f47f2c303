"""The pod's own identity in a cloud, for targets without one: at AWS by botocore, at Google by google-auth.

Both call addresses that nothing else in this process may connect to, so these calls are marked for the guard. AWS's
is fetched here, in a thread, because LiteLLM would do it on the event loop; Google's is fetched by LiteLLM.
"""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, Final

from claude_gateway_proxy.litellm.guard import fetching


class IdentityMissing(RuntimeError):  # noqa: N818 - says what is wrong
    """The pod has no identity in the cloud that a target is in."""


class Aws:
    """AWS's default chain: environment, web identity, container, instance; botocore renews what it found."""

    def __init__(self) -> None:
        """Search no credentials before ``keys``."""
        self._found: Any = None

    def keys(self) -> dict[str, str]:
        """Its keys as LiteLLM's parameters. Blocks. Raises IdentityMissing, and what botocore raises."""
        from botocore.session import Session

        with fetching():
            if self._found is None:
                self._found = Session().get_credentials()
            if self._found is None:
                raise IdentityMissing("AWS's default chain found no identity in this pod")
            found = self._found.get_frozen_credentials()
        return keys_of(found.access_key, found.secret_key, found.token)


_AWS: Final = Aws()


def keys_of(access_key: str, secret_key: str, token: str | None) -> dict[str, str]:
    """Return an AWS identity as LiteLLM's parameters, all of them: LiteLLM would look elsewhere for a missing one."""
    return {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": token or ""}


async def parameters(cloud: Mapping[str, Any], *, bearer: str | None) -> dict[str, Any]:
    """LiteLLM's parameters of a target in a cloud, with the pod's own identity where it has none.

    Raises IdentityMissing, and what botocore raises.
    """
    if "aws_region_name" not in cloud:
        await asyncio.to_thread(_mark_google)
        return {**cloud}
    if bearer is not None:
        return {**cloud, "api_key": bearer}
    # LiteLLM would import this on the event loop, which takes half a second.
    await asyncio.to_thread(importlib.import_module, "boto3")
    if "aws_access_key_id" in cloud:
        return {**cloud}
    return {**cloud, **await asyncio.to_thread(_AWS.keys)}


@cache
def _mark_google() -> None:
    """Allow LiteLLM to fetch Google's tokens through the guard, only by the two methods that do it."""
    from litellm.llms.vertex_ai.vertex_llm_base import VertexBase

    for name in ("_credentials_from_default_auth", "refresh_auth"):
        setattr(VertexBase, name, _marked(getattr(VertexBase, name)))


def _marked(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **keywords: Any) -> Any:
        with fetching():
            return function(*arguments, **keywords)

    return run
