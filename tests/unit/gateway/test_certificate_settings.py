"""The settings that say whose word about a client's certificate counts."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from claude_gateway_proxy.gateway.auth.presented import Form
from claude_gateway_proxy.gateway.auth.proxies import CertificateHeader
from claude_gateway_proxy.gateway.settings import Settings

_PREFIX = "CLAUDE_GATEWAY_"
_NETWORK = {"CLIENT_CERT_NETWORKS": "10.0.0.0/8, fd00::/8"}


def settings(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> Settings:
    for name, value in {"RUN_DIR": "/run/x", **given}.items():
        monkeypatch.setenv(f"{_PREFIX}{name}", value)
    return Settings()


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({}, None),
        ({"CLIENT_CERT_FORMAT": "rfc9440"}, CertificateHeader(Form.RFC9440, "client-cert")),
        ({"CLIENT_CERT_FORMAT": "xfcc"}, CertificateHeader(Form.XFCC, "x-forwarded-client-cert")),
        ({"CLIENT_CERT_FORMAT": "nginx"}, CertificateHeader(Form.PEM, "ssl-client-cert", "ssl-client-verify")),
        (
            {"CLIENT_CERT_FORMAT": "nginx", "CLIENT_CERT_HEADER": "X-Client-Cert"},
            CertificateHeader(Form.PEM, "x-client-cert", "ssl-client-verify"),
        ),
        (
            {"CLIENT_CERT_FORMAT": "pem", "CLIENT_CERT_HEADER": "X-Amzn-Mtls-Clientcert-Leaf"},
            CertificateHeader(Form.PEM, "x-amzn-mtls-clientcert-leaf"),
        ),
    ],
)
def test_the_header_that_has_the_certificate(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], header: CertificateHeader | None
) -> None:
    found = settings(monkeypatch, {**given, **(_NETWORK if header else {})})
    assert found.certificate_header == header
    assert found.client_cert_networks == (("10.0.0.0/8", "fd00::/8") if header else ())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"CLIENT_CERT_FORMAT": "nginx"}, "CLAUDE_GATEWAY_CLIENT_CERT_NETWORKS"),
        ({"CLIENT_CERT_FORMAT": "nginx", "CLIENT_CERT_NETWORKS": ""}, "CLAUDE_GATEWAY_CLIENT_CERT_NETWORKS"),
        ({"CLIENT_CERT_FORMAT": "pem", **_NETWORK}, "CLAUDE_GATEWAY_CLIENT_CERT_HEADER"),
        ({"CLIENT_CERT_FORMAT": "x509", **_NETWORK}, "rfc9440"),
        (_NETWORK, "CLAUDE_GATEWAY_CLIENT_CERT_FORMAT"),
        ({"CLIENT_CERT_HEADER": "x"}, "CLAUDE_GATEWAY_CLIENT_CERT_FORMAT"),
        ({"CLIENT_CERT_SECRET_FILE": "/x"}, "CLAUDE_GATEWAY_CLIENT_CERT_FORMAT"),
        ({"CLIENT_CERT_FORMAT": "pem", "CLIENT_CERT_HEADER": "a_b", **_NETWORK}, "client_cert_header"),
        ({"CLIENT_CERT_FORMAT": "xfcc", "CLIENT_CERT_NETWORKS": "10.1.2.3/8"}, "without host bits"),
        ({"TLS_CLIENT_CA_FILE": "/x"}, "CLAUDE_GATEWAY_TLS_CERT_FILE"),
    ],
)
def test_settings_that_trust_nobody_or_for_no_reason(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(monkeypatch, given)


def test_the_files_of_the_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch, {"TLS_CERT_FILE": "/c", "TLS_KEY_FILE": "/k", "TLS_CLIENT_CA_FILE": "/ca"})
    assert (found.certificate, found.tls_client_ca_file) == ((Path("/c"), Path("/k")), Path("/ca"))
