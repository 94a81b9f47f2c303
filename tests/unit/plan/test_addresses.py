"""Where a base URL may point to, in every spelling that some client library understands."""

import pytest

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Wire
from claude_gateway.plan.addresses import normal, refusal

CLOSED = Egress()

LOOPBACK = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost..",
    "api.localhost",
    "localhost.localdomain",
    "ip6-loopback",
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0X7F.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.01",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[2002:7f00:1::]",
    "[64:ff9b::7f00:1]",
]

METADATA = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "metadata",
    "METADATA.google.internal.",
    "metadata.goog",
    "instance-data",
]

NO_SERVER = [
    "169.254.1.1",
    "[fe80::1]",
    "0.0.0.0",
    "0",
    "0x",
    "0.1.2.3",
    "[::]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
]

UNREADABLE = [
    "http://1.2.3.4.5/",
    "http://300.1.1.1/",
    "http://1.2.3.256/",
    "http://4294967296/",
    "http://08.1.1.1/",
    "http://evil.1/",
    "http://[::1/",
    "http://[::1%25eth0]/",
    "http://[nonsense]/",
    "http://-host/",
    "http://",
    "http:///x",
    "http://host:0/",
    "http://host:99999/",
    "http://host:x/",
    "ftp://host/",
    "host/v1",
    "http://host/../x",
    "http://host//x",
    "http://host/%2e%2e/x",
    "http://%6cocalhost/",
    "http://user@host/",
    "http://user:password@host/",
    "http://good.example@127.0.0.1/",
    "http://good.example\\@127.0.0.1/",
    "http://host/?x=1",
    "http://host/#x",
    "http://ho st/",
    "http://host/\n",
    "http://host\t/",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "http://\u24dbocalhost/",
    "http://127\u30020\u30020\u30021/",
    "http://ex\u00e4mple.com/",
    "",
]


@pytest.mark.parametrize("host", [*LOOPBACK, *METADATA, *NO_SERVER])
def test_addresses_that_no_author_may_name(host: str) -> None:
    assert refusal(f"http://{host}/v1", CLOSED) is not None
    assert refusal(f"https://{host}:8443", CLOSED) is not None


@pytest.mark.parametrize("base_url", UNREADABLE)
def test_addresses_that_read_in_more_than_one_way(base_url: str) -> None:
    assert refusal(base_url, Egress(loopback=True)) is not None


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.anthropic.com",
        "https://api.openai.com/v1",
        "http://vllm:8000/v1",
        "http://vllm.models.svc.cluster.local:8000/v1",
        "http://my_host/v1",
        "http://10.0.0.5:8000",
        "http://192.168.1.9",
        "http://172.16.0.1/v1",
        "http://[fd12:3456::1]:8000/v1",
        "http://[2001:db8::1]/",
        "https://xn--exmple-cua.com/a/b~c/d-e_f.g",
        "http://1.1",
        "http://abc.0x7f.example",
        "http://notlocalhost",
        "http://localhost.example.com",
    ],
)
def test_addresses_that_anybody_may_name(base_url: str) -> None:
    assert refusal(base_url, CLOSED) is None


@pytest.mark.parametrize("host", LOOPBACK)
def test_an_installation_may_allow_loopback(host: str) -> None:
    assert refusal(f"http://{host}/v1", Egress(loopback=True)) is None


@pytest.mark.parametrize("host", [*METADATA, *NO_SERVER])
def test_loopback_allows_nothing_else(host: str) -> None:
    assert refusal(f"http://{host}/v1", Egress(loopback=True)) is not None


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("localhost", "LOCALHOST."),
        ("Localhost.", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0x7f000001"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("169.254.20.10", "169.254.20.10"),
    ],
)
def test_an_installation_may_allow_exact_hosts(allowed: str, host: str) -> None:
    assert refusal(f"http://{host}/", Egress(hosts=(allowed,))) is None
    assert refusal("http://127.0.0.2/", Egress(hosts=(allowed,))) is not None


@pytest.mark.parametrize(
    ("base_url", "wire", "expected"),
    [
        ("https://a/", None, "https://a"),
        ("https://a/v1/", Wire.OPENAI, "https://a/v1"),
        ("https://a/v1/", Wire.ANTHROPIC, "https://a"),
        ("https://a/x/v1", Wire.ANTHROPIC, "https://a/x"),
        ("https://a/xv1", Wire.ANTHROPIC, "https://a/xv1"),
    ],
)
def test_the_form_that_is_held(base_url: str, wire: Wire | None, expected: str) -> None:
    assert normal(base_url, wire) == expected
