"""The operator's settings."""

import pytest
from pydantic import ValidationError

from claude_gateway_operator.settings import Settings
from claude_gateway_runtime.settings import host_and_port

REQUIRED = {"POD_NAMESPACE": "gateway", "CLAUDE_GATEWAY_OPERATOR_RELEASE": "cg"}


def settings(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    """Settings as the environment gives them."""
    for name, value in {**REQUIRED, **{f"CLAUDE_GATEWAY_OPERATOR_{k}": v for k, v in more.items()}}.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(monkeypatch, WATCH_NAMESPACES=" team-a,gateway,,team-b ", EGRESS_HOSTS="10.0.0.1,h")
    assert read.namespaces == ("gateway", "team-a", "team-b")
    assert read.egress_hosts == ("10.0.0.1", "h")
    assert read.forward_hosts == ("api.anthropic.com",)
    assert settings(monkeypatch, FORWARD_HOSTS="").forward_hosts == ()
    assert settings(monkeypatch, IDENTITY_NAMESPACES="team-a").identity_namespaces == ("team-a",)
    assert settings(monkeypatch, WATCH_NAMESPACES="").namespaces == ("gateway",)


def test_namespaces_that_no_setting_names_need_rights_in_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not settings(monkeypatch, WATCH_NAMESPACES="team-a").clusterwide
    assert settings(monkeypatch, NAMESPACE_SELECTOR="ai=enabled").clusterwide
    assert settings(monkeypatch, NAMESPACE_SELECTOR="", ALL_NAMESPACES="true").clusterwide


@pytest.mark.parametrize(
    ("name", "value"), [("WATCH_NAMESPACES", "Team"), ("HEALTH_LISTEN", "8080"), ("RESYNC_SECONDS", "0")]
)
def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        settings(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("text", "parts"), [("0.0.0.0:80", ("0.0.0.0", 80)), (":80", ("", 80)), ("[::1]:80", ("::1", 80))]
)
def test_addresses(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text) == parts
