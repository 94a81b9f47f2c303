"""Which settings go together, and where the API server is."""

import pytest
from pydantic import ValidationError

from claude_gateway_proxy.agent.settings import Settings


def _settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in {"CLAUDE_GATEWAY_RUN_DIR": "/run/x", **environment}.items():
        monkeypatch.setenv(name, value)
    return Settings()


def _cluster(monkeypatch: pytest.MonkeyPatch, host: str, **environment: str) -> Settings:
    given = {
        "CLAUDE_GATEWAY_SOURCE": "kubernetes",
        "CLAUDE_GATEWAY_BUNDLE_NAME": "cg-bundle",
        "KUBERNETES_SERVICE_HOST": host,
    }
    return _settings(monkeypatch, **given, **environment)


@pytest.mark.parametrize(
    ("host", "url"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
def test_the_api_server_is_where_every_pod_is_told(monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    settings = _cluster(monkeypatch, host, KUBERNETES_SERVICE_PORT="6443")

    assert settings.apiserver_url == url
    assert str(settings.token_file) == "/var/run/secrets/kubernetes.io/serviceaccount/token"


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "the source folder needs CLAUDE_GATEWAY_SOURCE_DIR"),
        ({"CLAUDE_GATEWAY_SOURCE": "kubernetes"}, "CLAUDE_GATEWAY_BUNDLE_NAME and KUBERNETES_SERVICE_HOST"),
        ({"CLAUDE_GATEWAY_SOURCE": "git"}, "'folder' or 'kubernetes'"),
    ],
)
def test_a_source_that_lacks_something_says_what(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], missing: str
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ValidationError, match=missing):
        _settings(monkeypatch, **environment)
