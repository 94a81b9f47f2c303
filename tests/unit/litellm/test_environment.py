"""What the worker leaves of its environment, and which hosts it reaches without a proxy."""

import urllib.request

import pytest

from claude_gateway_proxy.litellm import environment


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_is_not_asked_for_this_machine(name: str) -> None:
    environ = {name: "http://proxy:3128", "no_proxy": "corp.example"}
    environment.reduce(environ)
    listed = environ["NO_PROXY"].split(",")
    assert environ["no_proxy"] == environ["NO_PROXY"]
    assert listed[:4] == ["corp.example", "localhost", "127.0.0.1", "::1"]


def test_without_a_proxy_nothing_is_set() -> None:
    environ = {"HTTP_PROXY": ""}
    environment.reduce(environ)
    assert not {"NO_PROXY", "no_proxy"} & set(environ)


def test_near_hosts_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "proxy_bypass", urllib.request.proxy_bypass)
    monkeypatch.setenv("no_proxy", "corp.example")
    environment.reach_near_hosts_directly()
    assert urllib.request.proxy_bypass("10.0.0.1")
    assert urllib.request.proxy_bypass("corp.example")
    assert not urllib.request.proxy_bypass("api.openai.com")
