"""The keys of the cluster's issuer: read seldom, kept while they cannot be read, the same text each time."""

from typing import Any

import pytest

from claude_gateway.plan.world import ClusterKeys
from claude_gateway_operator.cluster_keys import READ_SECONDS, ClusterIssuer
from claude_gateway_runtime.kube import Forbidden

_KEYS = {"keys": [{"kty": "RSA", "kid": "b"}, {"kty": "RSA", "kid": "a"}]}
_WANTED = ClusterKeys("https://k8s", '{"keys":[{"kid":"a","kty":"RSA"},{"kid":"b","kty":"RSA"}]}')


class ApiServer:
    """Its two documents; an error is raised instead. ``asked`` counts the documents that were read."""

    def __init__(self, discovery: Any = None, keys: Any = None) -> None:
        self.documents = {
            "/.well-known/openid-configuration": {"issuer": "https://k8s"} if discovery is None else discovery,
            "/openid/v1/jwks": _KEYS if keys is None else keys,
        }
        self.asked = 0
        self.now = 0.0
        self.issuer = ClusterIssuer(self.read, clock=lambda: self.now)

    async def read(self, url: str) -> dict[str, Any]:
        self.asked += 1
        found = self.documents[url]
        if isinstance(found, Exception):
            raise found
        return dict(found)


async def test_the_keys_are_the_same_text_in_any_order() -> None:
    assert await ApiServer().issuer.keys() == _WANTED
    assert await ApiServer(keys={"keys": [*reversed(_KEYS["keys"])]}).issuer.keys() == _WANTED


async def test_they_are_read_again_after_some_minutes() -> None:
    api = ApiServer()
    for _ in range(5):
        assert await api.issuer.keys() == _WANTED
    assert api.asked == 2
    api.documents["/openid/v1/jwks"] = {"keys": [{"kid": "new"}]}
    api.now = READ_SECONDS
    assert await api.issuer.keys() == ClusterKeys("https://k8s", '{"keys":[{"kid":"new"}]}')


async def test_they_are_kept_while_they_cannot_be_read() -> None:
    api = ApiServer()
    await api.issuer.keys()
    answers: list[Any] = [Forbidden("no"), {"keys": []}, {}]
    for broken in answers:
        api.documents["/openid/v1/jwks"] = broken
        api.now += READ_SECONDS
        assert await api.issuer.keys() == _WANTED


@pytest.mark.parametrize(
    ("discovery", "keys"),
    [
        (Forbidden("no"), _KEYS),
        ({"issuer": ""}, _KEYS),
        ({"issuer": 1}, _KEYS),
        ({"x": 1}, _KEYS),
        ({"issuer": "https://k8s"}, {"keys": "x"}),
        ({"issuer": "https://k8s"}, {"keys": ["x"]}),
        ({"issuer": "https://k8s"}, {"keys": [{"x": "y" * 70_000}]}),
    ],
)
async def test_keys_that_cannot_be_used_are_none(discovery: Any, keys: Any) -> None:
    assert await ApiServer(discovery, keys).issuer.keys() is None
