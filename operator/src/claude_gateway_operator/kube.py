"""The API server: the one module that imports ``kubernetes``.

Objects are plain values; requests are made by path, because typed clients cost memory and know no kinds of ours. A
write is a server-side apply with our field manager, which creates what is not there.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from claude_gateway.names import API_VERSION, FIELD_MANAGER

Manifest = dict[str, Any]

PAGE: Final = 500
"""Objects of one LIST request: bounds what both sides hold at once."""
_SECONDS: Final = 60.0
_WATCH_SECONDS: Final = 290
_WATCH_SILENCE: Final = 75.0
"""Seconds without a line, bookmarks included (one a minute), after which a watch counts as dead."""
_APPLY: Final = "application/apply-patch+yaml"
_METADATA: Final = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1,application/json"
_RETRYABLE: Final = frozenset((401, 408, 409, 429))


class KubeError(Exception):
    """A request that failed; the message holds what the API server says about it, never the request's body."""


class Retryable(KubeError):  # noqa: N818 - names what to do
    """The API server is away, busy or about to know better."""


class Forbidden(KubeError):  # noqa: N818
    """The operator has no right to do this."""


class NotFound(KubeError):  # noqa: N818
    """There is no such object, or no such kind."""


class Refused(KubeError):  # noqa: N818
    """The API server will not take this, now or later."""


def path(resource: str, namespace: str, name: str = "", *, api: str = API_VERSION) -> str:
    """Give the path of a namespaced collection, or of one object in it."""
    root = f"/api/{api}" if "/" not in api else f"/apis/{api}"
    return f"{root}/namespaces/{namespace}/{resource}" + (f"/{name}" if name else "")


class Kube:
    """A connection to the API server; an asynchronous context manager."""

    def __init__(self, configuration: Configuration) -> None:
        """Connect only when asked something."""
        configuration.client_session_kwargs = {
            # A proxy for the outside is none for the API server; watch lines are as long as the object.
            "trust_env": False,
            "read_bufsize": 4 << 20,
        }
        self._client = ApiClient(configuration)

    @classmethod
    async def open(cls) -> "Kube":
        """Connect as the pod's ServiceAccount, or as the kubeconfig says where there is none."""
        configuration = Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        return cls(configuration)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def list(self, collection: str, *, label: str | None = None, metadata_only: bool = False) -> list[Manifest]:
        """All objects of a collection. Raises KubeError."""
        accept = _METADATA.format(list="List") if metadata_only else "application/json"
        query = {"limit": str(PAGE)} | ({"labelSelector": label} if label else {})
        found: list[Manifest] = []
        while True:
            body = await self._request("GET", f"{collection}?{urlencode(query)}", accept=accept)
            page, more = await asyncio.to_thread(_page, body)
            found += page
            if not more:
                return found
            query["continue"] = more

    async def get(self, url: str, *, metadata_only: bool = False) -> Manifest | None:
        """One object; None if it is not there. Raises KubeError."""
        accept = _METADATA.format(list="") if metadata_only else "application/json"
        try:
            return _decode(await self._request("GET", url, accept=accept))
        except NotFound:
            return None

    async def apply(self, url: str, body: Mapping[str, Any]) -> Manifest:
        """Apply what is ours of an object, by force; gives the object as it is now. Raises KubeError."""
        query = urlencode({"fieldManager": FIELD_MANAGER, "force": "true"})
        return _decode(await self._request("PATCH", f"{url}?{query}", body=body, content=_APPLY))

    async def create(self, collection: str, body: Mapping[str, Any]) -> None:
        """Create an object. Raises KubeError."""
        await self._request("POST", collection, body=body)

    async def delete(self, url: str) -> None:
        """Delete an object; one that is not there is no error. Raises KubeError."""
        try:
            await self._request("DELETE", url)
        except NotFound:
            return

    async def watch(self, collection: str, query: Mapping[str, str], *, metadata_only: bool) -> AsyncIterator[Manifest]:
        """Events of a collection, beginning with one for each object that is there. Ends after some minutes.

        Raises KubeError.
        """
        accept = _METADATA.format(list="") if metadata_only else "application/json"
        parameters = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS), **query}
        response = await self._send("GET", f"{collection}?{urlencode(parameters)}", accept=accept, streaming=True)
        try:
            async for line in response.content:
                event = _decode(line)
                if event.get("type") == "ERROR":
                    raise Retryable(f"watch of {collection}: {_message(event.get('object'))}")
                yield event
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Retryable(f"watch of {collection}: {type(error).__name__}") from None
        finally:
            response.close()

    async def _request(
        self,
        method: str,
        url: str,
        *,
        accept: str = "application/json",
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> bytes:
        response = await self._send(method, url, accept=accept, body=body, content=content)
        try:
            return await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Retryable(f"{method} {_shown(url)}: {type(error).__name__}") from None

    async def _send(
        self,
        method: str,
        url: str,
        *,
        accept: str,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        streaming: bool = False,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "Content-Type": content, "User-Agent": FIELD_MANAGER}
        timeout = aiohttp.ClientTimeout(
            total=None if streaming else _SECONDS, sock_connect=10.0, sock_read=_WATCH_SILENCE if streaming else None
        )
        client = self._client
        try:
            await client.update_params_for_auth(headers, [], ["BearerToken"], url, method, None)
            answer = await client.rest_client.request(  # type: ignore[no-untyped-call]
                method, client.configuration.host + url, headers=headers, body=body, _request_timeout=timeout
            )
        except (TimeoutError, OSError, aiohttp.ClientError, config.ConfigException) as error:
            raise Retryable(f"{method} {_shown(url)}: {type(error).__name__}") from None
        response: aiohttp.ClientResponse = answer.response
        if response.status >= 400:
            raise await _error(response, f"{method} {_shown(url)}")
        return response


async def _error(response: aiohttp.ClientResponse, what: str) -> KubeError:
    try:
        text = _message(json.loads(await response.read()))
    except (ValueError, TimeoutError, aiohttp.ClientError):
        text = response.reason or ""
    status = response.status
    message = f"{what}: {status} {text}"
    if status == 403:
        return Forbidden(message)
    if status == 404:
        return NotFound(message)
    return Retryable(message) if status in _RETRYABLE or status >= 500 else Refused(message)


def _message(status: object) -> str:
    """What a Status object says, cut off where it could go on to quote an object."""
    if not isinstance(status, Mapping):
        return ""
    return " ".join(str(status.get(part, "")) for part in ("reason", "message")).strip()[:300]


def _shown(url: str) -> str:
    return url.partition("?")[0]


def _decode(body: bytes) -> Manifest:
    try:
        value = json.loads(body)
    except ValueError:
        raise Retryable("the API server's answer is not JSON") from None
    if not isinstance(value, dict):
        raise Retryable("the API server's answer is not a JSON object")
    return value


def _page(body: bytes) -> tuple[list[Manifest], str | None]:
    """One page of a LIST, and where it goes on. Items do not say their kind each, the list does; who manages which
    field is most of an object and of no use here.
    """
    document = _decode(body)
    kind = {"apiVersion": document.get("apiVersion"), "kind": str(document.get("kind", "")).removesuffix("List")}
    found = [{**kind, **item} for item in document.get("items") or ()]
    for item in found:
        item["metadata"].pop("managedFields", None)
    return found, document.get("metadata", {}).get("continue")
