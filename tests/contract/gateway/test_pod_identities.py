"""The pods' own identity in a cloud: new keys and tokens are fetched while requests come, and none of them is lost."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import KEY, Gateway, gateway
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.served import served

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.target import Aws, Google, Wire

_ASK = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_ID = "us.anthropic.claude-x-20250101-v1:0"
_NAME = "ns/aws.01234567"
_KEY = re.compile(r"Credential=([^/]+)/")


@dataclass
class Cloud:
    """The clouds' token services and models: keys of ``life`` seconds, and what was answered to requests under them."""

    life: float = 3600.0
    down: bool = False
    url: str = ""
    fetched: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    keys: dict[str, float] = field(default_factory=dict)

    def revoke(self) -> None:
        """Accept none of the keys that were handed out so far."""
        self.keys.clear()

    def _new(self) -> tuple[str, str]:
        name = f"ASIA{len(self.fetched):016d}"
        self.fetched.append(name)
        self.keys[name] = time.time() + self.life
        return name, datetime.fromtimestamp(self.keys[name], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def agent(self, request: web.Request) -> web.Response:
        """The EKS Pod Identity agent."""
        self.tokens.append(request.headers.get("authorization", ""))
        if self.down:
            return web.Response(status=500)
        name, ends = self._new()
        keys = {"AccessKeyId": name, "SecretAccessKey": "secret", "Token": f"session-{name}", "Expiration": ends}
        return web.json_response(keys)

    async def sts(self, request: web.Request) -> web.Response:
        """STS, as IRSA asks it."""
        form = await request.post()
        assert form["Action"] == "AssumeRoleWithWebIdentity"
        self.tokens.append(str(form["WebIdentityToken"]))
        name, ends = self._new()
        keys = f"<AccessKeyId>{name}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t-{name}"
        text = (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleWithWebIdentityResult><Credentials>{keys}</SessionToken><Expiration>{ends}</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        )
        return web.Response(text=text, content_type="text/xml")

    async def bedrock(self, request: web.Request) -> web.Response:
        """Bedrock: rejects keys that it does not know, or that have ended."""
        found = _KEY.search(request.headers.get("authorization", ""))
        good = found is not None and time.time() < self.keys.get(found[1], 0.0)
        self.answers.append(200 if good else 403)
        if good:
            return web.json_response({"id": "msg_1", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}})
        headers = {"x-amzn-errortype": "ExpiredTokenException"}
        return web.json_response({"message": "The security token has expired"}, status=403, headers=headers)

    async def metadata(self, request: web.Request) -> web.Response:
        """The metadata server of GKE."""
        flavor = {"metadata-flavor": "Google"}
        if not request.path.endswith("/token"):
            account = {"email": "own@pod", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
            return web.json_response(account, headers=flavor)
        name = f"ya29.{len(self.fetched):032d}"
        self.fetched.append(name)
        self.keys[name] = time.time() + self.life
        token = {"access_token": name, "expires_in": int(self.life), "token_type": "Bearer"}
        return web.json_response(token, headers=flavor)

    async def vertex(self, request: web.Request) -> web.Response:
        """Vertex AI: rejects tokens that it does not know, or that have ended."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        good = time.time() < self.keys.get(token, 0.0)
        self.answers.append(200 if good else 401)
        if good:
            return web.json_response({"id": "msg_1", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}})
        error = {"code": 401, "status": "UNAUTHENTICATED", "message": "Request had invalid authentication credentials."}
        return web.json_response({"error": error}, status=401)


@contextlib.asynccontextmanager
async def clouds(cloud: Cloud) -> AsyncIterator[None]:
    """Serve the clouds."""
    app = web.Application()
    app.router.add_get("/computeMetadata/{rest:.*}", cloud.metadata)
    app.router.add_get("/", cloud.metadata)
    app.router.add_post("/v1/projects/{rest:.*}", cloud.vertex)
    app.router.add_get("/agent", cloud.agent)
    app.router.add_post("/", cloud.sts)
    app.router.add_post("/model/{rest:.*}", cloud.bedrock)
    async with served(app) as cloud.url:
        yield


@contextlib.asynccontextmanager
async def serving(cloud: Cloud) -> AsyncIterator[Gateway]:
    """Serve the clouds, and a gateway whose target at Bedrock has no Secret."""
    async with clouds(cloud):
        given = target(wire=Wire.BEDROCK, base_url=cloud.url, aws=Aws(region="us-east-1"), model=_ID, credential=_NAME)
        async with gateway(route("*", targets=[given])) as gw:
            yield gw


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A pod without any other identity."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


def pod_identity(pod: pytest.MonkeyPatch, cloud: Cloud, tmp_path: Path) -> Path:
    """What EKS sets in a pod with an associated role."""
    (file := tmp_path / "eks-token").write_text("first")
    pod.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{cloud.url}/agent")
    pod.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    return file


async def ask(gw: Gateway) -> int:
    answer = await gw.post(f"/model/{_ID}/invoke", _ASK)
    await answer.read()
    return answer.status


async def test_keys_of_pod_identity_end_during_traffic(pod: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cloud = Cloud(life=3.0)
    async with serving(cloud) as gw:
        file = pod_identity(pod, cloud, tmp_path)
        statuses = [await ask(gw)]
        # The kubelet replaces a token as a whole: nobody reads half of one.
        (new := tmp_path / "eks-token.new").write_text("second")
        new.replace(file)
        end = time.monotonic() + 8.0
        while time.monotonic() < end:
            statuses += await asyncio.gather(*(ask(gw) for _ in range(3)))
            await asyncio.sleep(0.1)
        assert set(statuses) == {200}
        assert len(cloud.fetched) > 2
        assert {cloud.tokens[0], cloud.tokens[-1]} == {"first", "second"}


async def test_revoked_keys_are_replaced_within_the_request(pod: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cloud = Cloud()
    async with serving(cloud) as gw:
        pod_identity(pod, cloud, tmp_path)
        assert await ask(gw) == 200
        cloud.revoke()
        assert await asyncio.gather(*(ask(gw) for _ in range(5))) == [200] * 5
        assert len(cloud.fetched) == 2, "only the keys that were used are replaced"


async def test_keys_of_irsa_are_fetched_with_the_token_of_now(pod: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cloud = Cloud()
    async with serving(cloud) as gw:
        (file := tmp_path / "irsa-token").write_text("first")
        pod.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
        pod.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/claude")
        pod.setenv("AWS_ENDPOINT_URL_STS", cloud.url)
        pod.setenv("AWS_REGION", "us-east-1")
        assert await ask(gw) == 200
        file.write_text("second")
        cloud.revoke()
        assert await asyncio.gather(*(ask(gw) for _ in range(5))) == [200] * 5
        assert (cloud.tokens[0], cloud.tokens[-1]) == ("first", "second")
        assert gw.exchange.credentials.report()[_NAME].outcome is Outcome.OK


async def test_a_token_file_that_is_missing_is_an_error_of_the_gateway(pod: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cloud = Cloud()
    async with serving(cloud) as gw:
        pod.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "gone"))
        pod.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/claude")
        pod.setenv("AWS_REGION", "us-east-1")
        assert await ask(gw) == 502
        assert gw.exchange.credentials.report()[_NAME].outcome is Outcome.UNAVAILABLE


async def test_an_agent_that_is_down_does_not_fail_requests_that_have_keys(
    pod: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = Cloud()
    async with serving(cloud) as gw:
        pod_identity(pod, cloud, tmp_path)
        assert await ask(gw) == 200
        cloud.down = True
        assert await asyncio.gather(*(ask(gw) for _ in range(5))) == [200] * 5


async def test_tokens_of_gke_are_renewed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, because google-auth reads the server's address when it is imported."""
    cloud = Cloud(life=40.0)
    async with clouds(cloud):
        host = cloud.url.removeprefix("http://")
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
            monkeypatch.setenv(name, host)
        for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
            monkeypatch.setenv(name, "/nonexistent" if name == "CLOUDSDK_CONFIG" else "")
        place = Google(project="p", location="us-east5")
        given = target(wire=Wire.VERTEX, base_url=cloud.url, google=place, model="claude-x", credential=_NAME)
        client = {"authorization": f"Bearer {KEY}"}
        path = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-x:rawPredict"
        body = {**_ASK, "anthropic_version": "vertex-2023-10-16"}
        served = bundle([route("*", targets=[given])], keys={KEY: "ns/dev"})
        with await asyncio.to_thread(LoneGateway, served) as gw:

            async def ask_vertex() -> int:
                answer = await asyncio.to_thread(gw.call, "POST", path, body=body, headers=client)
                return answer.status

            await asyncio.to_thread(gw.event, "config_loaded")
            assert await ask_vertex() == 200
            cloud.revoke()
            assert await asyncio.gather(*(ask_vertex() for _ in range(4))) == [200] * 4
            assert len(cloud.fetched) >= 2, "a token that ends within five minutes is renewed with each request"
            report = await asyncio.to_thread(gw.status)
            assert [(each.credential, each.outcome) for each in report.credentials] == [(_NAME, Outcome.OK)]
