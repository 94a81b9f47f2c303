"""The rule where the worker may connect to, and what its environment holds."""

import pytest

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.litellm.environment import LITELLM, reduce
from claude_gateway_proxy.litellm.guard import Dial, dial, forbidden, forbidden_to_fetch

NOTHING = Egress()
LOOPBACK = Egress(loopback=True)
NAMED = Egress(hosts=("model.internal", "169.254.1.1"))
NO_PROXY: frozenset[Dial] = frozenset()


@pytest.mark.parametrize(
    ("address", "port", "egress", "meant", "expected"),
    [
        ("93.184.216.34", 443, NOTHING, None, False),
        ("10.0.0.1", 80, NOTHING, None, False),
        ("127.0.0.1", 80, NOTHING, Dial("127.0.0.1", 80), True),
        ("127.0.0.1", 80, LOOPBACK, Dial("localhost", 80), False),
        ("::1", 80, LOOPBACK, Dial("localhost", 80), False),
        ("127.0.0.1", 81, LOOPBACK, Dial("localhost", 80), True),
        ("127.0.0.1", 80, LOOPBACK, None, True),
        ("169.254.169.254", 80, LOOPBACK, Dial("169.254.169.254", 80), True),
        ("169.254.1.1", 80, NAMED, Dial("169.254.1.1", 80), False),
        ("127.0.0.1", 80, NAMED, Dial("model.internal", 80), False),
        ("127.0.0.1", 80, NAMED, Dial("other.internal", 80), True),
        ("not an address", 80, LOOPBACK, Dial("x", 80), True),
    ],
)
def test_forbidden(address: str, port: int, egress: Egress, meant: Dial | None, expected: bool) -> None:
    assert forbidden(address, port, egress=egress, meant=meant, proxies=NO_PROXY) is expected


def test_a_proxy_is_an_exception_with_its_port() -> None:
    proxies = frozenset({Dial("127.0.0.1", 3128)})
    assert not forbidden("127.0.0.1", 3128, egress=NOTHING, meant=None, proxies=proxies)
    assert forbidden("127.0.0.1", 3129, egress=NOTHING, meant=None, proxies=proxies)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://vllm:8000/v1", Dial("vllm", 8000)),
        ("https://Example.com/v1", Dial("example.com", 443)),
        ("http://[::1]/", Dial("::1", 80)),
        (None, None),
        ("", None),
    ],
)
def test_dial(url: str | None, expected: Dial | None) -> None:
    assert dial(url) == expected


def test_the_environment_holds_nobodys_keys() -> None:
    environ = {
        "PATH": "/bin",
        "SSL_CERT_FILE": "/ca.pem",
        "CLAUDE_GATEWAY_RUN_DIR": "/run",
        "OPENAI_API_KEY": "k",
        "ANTHROPIC_BASE_URL": "http://x",
        "AWS_BEARER_TOKEN_BEDROCK": "k",
        "AWS_BEDROCK_RUNTIME_ENDPOINT": "http://x",
        "AWS_REGION_NAME": "x",
        "VERTEXAI_CREDENTIALS": "k",
        "GOOGLE_API_KEY": "k",
        "LITELLM_MODE": "DEV",
        "LITELLM_SALT_KEY": "k",
    }
    reduce(environ)
    assert environ == {
        "PATH": "/bin",
        "SSL_CERT_FILE": "/ca.pem",
        "CLAUDE_GATEWAY_RUN_DIR": "/run",
        **LITELLM,
    }


def test_the_environment_keeps_what_leads_to_the_pods_identity() -> None:
    identity = {"AWS_ROLE_ARN": "r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/f", "GOOGLE_APPLICATION_CREDENTIALS": "/g"}
    environ = {**identity}
    reduce(environ)
    assert environ == {**identity, **LITELLM}


IDENTITY = frozenset({Dial("169.254.170.23", 80)})


@pytest.mark.parametrize(
    ("address", "port", "egress", "expected"),
    [
        ("169.254.170.23", 80, NOTHING, False),
        ("169.254.170.23", 81, NOTHING, True),
        ("169.254.170.24", 80, NOTHING, True),
        ("127.0.0.1", 80, NOTHING, True),
        ("127.0.0.1", 80, LOOPBACK, False),
        ("93.184.216.34", 443, NOTHING, False),
    ],
)
def test_an_identity_is_fetched_from_where_clouds_and_installation_say(
    address: str, port: int, egress: Egress, expected: bool
) -> None:
    assert forbidden_to_fetch(address, port, egress=egress, identity=IDENTITY) is expected
