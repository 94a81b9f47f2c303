"""The pod's own identity in a cloud, for targets that bring none: of AWS by botocore, of Google by google-auth.

Both ask addresses that nothing else in this process may connect to, so each way there is marked for the guard. AWS's
is fetched here, in a thread, because LiteLLM would do it on the event loop; Google's is fetched by LiteLLM.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from claude_gateway_proxy.litellm.guard import fetching


class IdentityMissing(RuntimeError):  # noqa: N818 - says what is wrong
    """The pod has no identity in the cloud that a target is in."""


class Aws:
    """AWS's default chain: environment, web identity, container, instance; botocore renews what it found."""

    def __init__(self) -> None:
        self._found: Any = None

    async def parameters(self) -> dict[str, str]:
        """Its keys as LiteLLM's parameters. Raises IdentityMissing, and what botocore raises."""
        return await asyncio.to_thread(self._keys)

    def _keys(self) -> dict[str, str]:
        from botocore.session import Session

        with fetching():
            if self._found is None:
                self._found = Session().get_credentials()
            if self._found is None:
                raise IdentityMissing("AWS's default chain found no identity in this pod")
            keys = self._found.get_frozen_credentials()
        return keys_of(keys.access_key, keys.secret_key, keys.token)


def keys_of(access_key: str, secret_key: str, token: str | None) -> dict[str, str]:
    """An AWS identity as LiteLLM's parameters. All are told: what is left out it would look for elsewhere."""
    return {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": token or ""}


AWS: Final = Aws()


def mark_google() -> None:
    """Let LiteLLM fetch Google's tokens through the guard: the two methods that do it, and nothing else of it."""
    from litellm.llms.vertex_ai.vertex_llm_base import VertexBase

    for name in ("_credentials_from_default_auth", "refresh_auth"):
        setattr(VertexBase, name, _marked(getattr(VertexBase, name)))


def _marked(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **keywords: Any) -> Any:
        with fetching():
            return function(*arguments, **keywords)

    return run
