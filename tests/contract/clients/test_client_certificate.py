"""Claude Code with a client certificate in place of a key, as the how-to sets it up."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.gateway.test_tls import address
from tests.support.builders.bundles import bundle, route, target
from tests.support.builders.certificates import Authority, email, self_signed
from tests.support.clients import cli
from tests.support.processes.lone_gateway import LoneGateway

from claude_gateway.contract.certificate_name import CertificateName, NameKind
from claude_gateway.contract.client import Client
from claude_gateway.names import CERTIFICATE_KEY
from claude_gateway_scripted.local import Scripted

_ALICE = "alice@example.com"
_BEDROCK = {
    "CLAUDE_CODE_USE_BEDROCK": "1",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1",
    "AWS_REGION": "us-east-1",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
}


@dataclass(frozen=True, slots=True)
class Company:
    """A gateway with HTTPS, and what the company's laptops have of it."""

    gateway: LoneGateway
    url: str
    authority: Authority
    trust: Path

    def hello(
        self, folder: Path, release: cli.Release, *, key: str = "", name: str = _ALICE, **more: str
    ) -> cli.Result:
        """Say hello with a certificate for a person."""
        cert, private = self.authority.issue(email(name)).files(folder)
        environment = {
            "NODE_EXTRA_CA_CERTS": str(self.trust),
            "CLAUDE_CODE_CLIENT_CERT": str(cert),
            "CLAUDE_CODE_CLIENT_KEY": str(private),
            "CLAUDE_CODE_MAX_RETRIES": "0",
            **more,
        }
        model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0" if "AWS_REGION" in more else "claude-sonnet-5-5"
        words = ["-p", "--output-format", "json", "hello"]
        return cli.run(words, url=self.url, key=key, model=model, release=release, home=folder, environment=environment)

    def log(self) -> set[tuple[object, ...]]:
        """Who asked, and what they got."""
        lines = self.gateway.process.lines("request")
        return {(line["status"], line["client"], line["user"], line["proof"]) for line in lines}


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    authority, folder = Authority("people"), tmp_path / "gateway"
    folder.mkdir()
    ca, cert, key = (folder / name for name in ("ca.pem", "tls.crt", "tls.key"))
    ca.write_bytes(authority.pem)
    for file, content in zip((cert, key), self_signed("127.0.0.1"), strict=True):
        file.write_bytes(content)
    client = Client(name="ns/people", certificates=(CertificateName(kind=NameKind.EMAIL, value=_ALICE),))
    with Scripted() as upstream:
        routes = [route("claude-*", targets=[target(base_url=upstream.url)])]
        config = bundle(routes, clients=(client,))
        with LoneGateway(config, tls_cert_file=cert, tls_key_file=key, tls_client_ca_file=ca) as gateway:
            host, port = address(gateway)
            yield Company(gateway, f"https://{host}:{port}", authority, cert)


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_word_stands_for_the_key_and_the_certificate_says_who_it_is(
    company: Company, tmp_path: Path, release: cli.Release
) -> None:
    done = company.hello(tmp_path, release, key=CERTIFICATE_KEY)
    assert (done.rc, done.result["result"]) == (0, "echo: hello"), done.stdout + done.stderr
    assert company.log() == {(200, "ns/people", _ALICE, "certificate")}


@pytest.mark.parametrize("release", cli.RELEASES)
def test_in_bedrock_mode_no_word_is_needed(company: Company, tmp_path: Path, release: cli.Release) -> None:
    done = company.hello(tmp_path, release, ANTHROPIC_BEDROCK_BASE_URL=f"{company.url}/bedrock", **_BEDROCK)
    assert (done.rc, done.result["result"]) == (0, "echo: hello"), done.stdout + done.stderr
    assert company.log() == {(200, "ns/people", _ALICE, "certificate")}


def test_a_wrong_key_is_refused_at_once_whatever_the_certificate(company: Company, tmp_path: Path) -> None:
    done = company.hello(tmp_path, "newest", key="cgw_unknown-0123456789abcdef")
    assert done.rc == 1
    assert "does not know this key" in done.result["result"]


def test_a_certificate_of_nobody_is_explained(company: Company, tmp_path: Path) -> None:
    done = company.hello(tmp_path, "newest", key=CERTIFICATE_KEY, name="eve@example.com")
    assert done.rc == 1
    assert "no GatewayClient lists a name of it" in done.result["result"]


def test_without_a_certificate_the_word_is_no_key(company: Company, tmp_path: Path) -> None:
    done = company.hello(tmp_path, "newest", key=CERTIFICATE_KEY, CLAUDE_CODE_CLIENT_CERT="", CLAUDE_CODE_CLIENT_KEY="")
    assert done.rc == 1
    assert "came without one" in done.result["result"]
