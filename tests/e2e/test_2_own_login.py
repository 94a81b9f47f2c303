"""The real CLI with a login of its own, through the Service."""

import secrets
from typing import Final

from tests.e2e.release import Gateway
from tests.support.kube import dump as kubedump
from tests.support.kube import pods as kubepods

from claude_gateway.names import API_VERSION, HEADER_GATEWAY_KEY
from claude_gateway_scripted import digest

MODEL: Final = "claude-own"
_SET_UP: Final = f"""
export CLAUDE_CODE_OAUTH_TOKEN=$0 ANTHROPIC_CUSTOM_HEADERS="{HEADER_GATEWAY_KEY}: $ANTHROPIC_AUTH_TOKEN"
unset ANTHROPIC_AUTH_TOKEN
exec "$@"
"""


def test_the_login_arrives_as_it_was_sent_and_is_in_no_log(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    place, kube = gateway.release.namespace, gateway.kube
    login = f"sk-ant-oat01-{secrets.token_urlsafe(60)}"
    gateway.secrets.append(login)
    target = {"model": "anthropic/*", "baseURL": kubepods.UPSTREAM_TLS_URL, "forwardClientToken": True}
    spec = {"models": [MODEL], "targets": [target]}
    kube.apply(
        {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": "own"}, "spec": spec}, namespace=place
    )
    try:
        gateway.wait_live("modelroute/own")
        asked = ("claude-newest", "-p", "--model", MODEL, "hello")
        said = kubepods.run(kube, gateway.pod, "sh", "-c", _SET_UP, login, *asked)
    finally:
        kube.kubectl("delete", "modelroute/own", "-n", place)

    assert said.strip() == "echo: hello"
    requests = upstream.requests
    assert requests
    for request in requests:
        assert request.header("authorization") == f"Bearer {digest(login)}"
        assert "oauth-2025-04-20" in (request.header("anthropic-beta") or "").split(",")
        assert request.header(HEADER_GATEWAY_KEY) is None
        assert gateway.key not in str(request.headers)
    assert any(MODEL.encode() in text for _, text in kubedump.logs()), "the logs of this run were not read"
    assert kubedump.leaks(kube, [login]) == []
