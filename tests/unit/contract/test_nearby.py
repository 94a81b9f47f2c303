"""Which hosts are requested without an HTTP proxy."""

import pytest

from claude_gateway.contract.nearby import is_near, with_bypass


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0", "[::]"),
        *("10.1.2.3", "172.31.0.1", "192.168.1.1", "fd00::1", "169.254.169.254", "fe80::1"),
        *("ollama", "a.localhost", "nas.local", "vllm.ai.svc", "vllm.ai.svc.cluster.local", "host.docker.internal"),
    ],
)
def test_near(host: str) -> None:
    assert is_near(host)


@pytest.mark.parametrize(
    "host",
    ["", "api.openai.com", "localhost.example.com", "8.8.8.8", "172.32.0.1", "192.0.2.1", "2001:db8::1", "svc.example"],
)
def test_far(host: str) -> None:
    assert not is_near(host)


@pytest.mark.parametrize(
    ("present", "hosts", "value"),
    [
        ("", ["a"], "a"),
        ("x, y", ["a", "a", "x"], "x,y,a"),
        ("*", ["a"], "*"),
        (" , ", [], ""),
    ],
)
def test_hosts_are_added_once(present: str, hosts: list[str], value: str) -> None:
    assert with_bypass(present, hosts) == value
