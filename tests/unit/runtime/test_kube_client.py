"""The Kubernetes client against a server in the test's own process: what it sends, and what each response means."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.processes.served import served

from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Cluster, Kube, KubeError

SECRET = "sk-very-secret-value"
COLLECTION = kube.path("secrets", "ns", api="v1")
ONE = f"{COLLECTION}/one"

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Plain:
    """A server without TLS, with the token of a pod."""

    url: str
    token_file: Path

    def trust(self) -> ssl.SSLContext:
        """Nobody in particular."""
        return ssl.create_default_context()

    async def authorization(self) -> str:
        """The token as a pod finds it."""
        return await Cluster(self.url, self.token_file).authorization()


@dataclass
class Server:
    """Answers each request by the next of ``replies``."""

    token_file: Path
    replies: list[Reply] = field(default_factory=list)
    seen: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.seen.append(request)
        self.bodies.append(await request.read())
        return await self.replies.pop(0)(request)  # type: ignore[arg-type]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that has no replies yet."""
    token_file = tmp_path / "token"
    token_file.write_text("first\n")
    made = Server(token_file)
    async with served(web.Server(made.answer)) as made.url:
        yield made


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Kube]:
    """A client of the server."""
    async with Kube(Plain(server.url, server.token_file), request_seconds=5.0) as made:
        yield made


def says(status: int, document: object, **headers: str) -> Reply:
    """Answer with a JSON document."""

    async def reply(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=json.dumps(document).encode(), headers=headers)

    return reply


def streams(*lines: object, hang: bool = False, rest: bytes = b"") -> Reply:
    """Answer with lines of JSON, then perhaps with silence."""

    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
        await response.write(rest)
        if hang:
            await asyncio.sleep(60)
        return response

    return reply


def event(kind: str, version: str) -> dict[str, object]:
    return {"type": kind, "object": {"metadata": {"resourceVersion": version}, "data": {"key": SECRET}}}


async def test_a_list_has_all_pages_with_kinds_and_writers_without_their_fields(server: Server, client: Kube) -> None:
    def item(name: str) -> dict[str, object]:
        return {"metadata": {"name": name, "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]}}

    whole = {"apiVersion": "v1", "kind": "SecretList"}
    server.replies = [
        says(200, {**whole, "metadata": {"continue": "next/page"}, "items": [item("a")]}),
        says(200, {**whole, "metadata": {}, "items": [item("b")]}),
    ]
    found = await client.list(COLLECTION, label="a=b", metadata_only=True)
    kind = {"apiVersion": "v1", "kind": "Secret"}
    written = [{"manager": "m"}]
    assert found == [{**kind, "metadata": {"name": name, "managedFields": written}} for name in ("a", "b")]
    first, second = server.seen
    assert (first.query["limit"], first.query["labelSelector"], second.query["continue"]) == ("500", "a=b", "next/page")
    assert "PartialObjectMetadataList" in second.headers["accept"]


async def test_an_apply_is_by_force_with_our_field_manager(server: Server, client: Kube) -> None:
    server.replies = [says(201, {"kind": "Secret"})]
    assert await client.apply(ONE, {"data": {}}) == {"kind": "Secret"}
    (request,) = server.seen
    assert (request.method, request.content_type) == ("PATCH", "application/apply-patch+yaml")
    assert dict(request.query) == {"fieldManager": "claude-gateway", "force": "true"}
    assert json.loads(server.bodies[0]) == {"data": {}}


async def test_what_is_absent_is_none_to_get_and_fine_to_delete(server: Server, client: Kube) -> None:
    server.replies = [says(404, {}), says(404, {}), says(201, {})]
    assert await client.get(ONE) is None
    await client.delete(ONE)
    await client.create(COLLECTION, {})
    assert [request.method for request in server.seen] == ["GET", "DELETE", "POST"]


async def test_the_token_is_read_for_each_request(server: Server, client: Kube) -> None:
    server.replies = [says(200, {}), says(200, {})]
    await client.get(ONE)
    server.token_file.write_text("second")
    await client.get(ONE)
    assert [request.headers["authorization"] for request in server.seen] == ["Bearer first", "Bearer second"]
    server.token_file.unlink()
    with pytest.raises(kube.Unreachable):
        await client.get(ONE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, kube.Refused),
        (400, kube.Refused),
        (401, kube.Retryable),
        (403, kube.Forbidden),
        (404, kube.NotFound),
        (409, kube.Conflict),
        (410, kube.Expired),
        (422, kube.Refused),
        (429, kube.Retryable),
        (500, kube.Retryable),
        (503, kube.Retryable),
    ],
)
async def test_an_error_says_what_to_do_about_it(
    server: Server, client: Kube, status: int, kind: type[KubeError]
) -> None:
    server.replies = [says(status, {"kind": "Status", "message": "because" + "." * 400}, location="/elsewhere")]
    with pytest.raises(KubeError) as raised:
        await client.apply(ONE, {"data": {"key": SECRET}})
    assert type(raised.value) is kind
    assert str(raised.value).startswith(f"PATCH {ONE}: {status} because")
    assert len(str(raised.value)) < 400
    assert len(server.seen) == 1
    assert SECRET not in str(raised.value)


async def test_a_response_that_is_not_an_object_is_not_quoted(server: Server, client: Kube) -> None:
    server.replies = [says(200, [SECRET]), streams(rest=SECRET.encode()), says(500, [SECRET])]
    for _ in range(3):
        with pytest.raises(kube.Retryable) as raised:
            await client.get(ONE)
        assert SECRET not in str(raised.value)


async def test_an_api_server_that_is_away_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    async with Kube(Plain("http://127.0.0.1:1", tmp_path / "token")) as client:
        with pytest.raises(kube.Unreachable, match="the API server cannot be reached"):
            await client.get(ONE)


async def test_a_watch_gives_whole_events_until_it_ends(server: Server, client: Kube) -> None:
    server.replies = [streams(event("ADDED", "1"), event("BOOKMARK", "2"), rest=b'{"type": "ADD')]
    async with client.watch(COLLECTION, {"fieldSelector": "metadata.name=one"}, since="0", seconds=7) as events:
        assert [(each.type, each.version) async for each in events] == [("ADDED", "1"), ("BOOKMARK", "2")]
    query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "7", "resourceVersion": "0"}
    assert dict(server.seen[0].query) == {**query, "fieldSelector": "metadata.name=one"}


async def test_a_silent_watch_is_dead(server: Server, client: Kube) -> None:
    server.replies = [streams(event("ADDED", "1"), hang=True)]
    async with client.watch(COLLECTION, {}, silence_seconds=0.2) as events:
        assert (await anext(events)).version == "1"
        with pytest.raises(kube.Unreachable):
            await anext(events)


async def test_a_watch_that_cannot_go_on_is_expired(server: Server, client: Kube) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    server.replies = [says(410, {"message": "too old"}), streams(gone)]
    with pytest.raises(kube.Expired):
        async with client.watch(COLLECTION, {}, since="1"):
            pass
    async with client.watch(COLLECTION, {}, since="1") as events:
        with pytest.raises(kube.Expired, match="too old resource version"):
            await anext(events)


def test_outside_of_a_pod_there_is_no_cluster() -> None:
    assert Cluster.of_pod({}) is None
    assert Cluster.of_pod({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}) is None
