"""Origins as a setting names them."""

import pytest
from pydantic import ValidationError

from claude_gateway_proxy.gateway.settings import Settings


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_GATEWAY_RUN_DIR", "/r")
    assert Settings().cors_origins == ()
    monkeypatch.setenv("CLAUDE_GATEWAY_CORS_ORIGINS", "https://a.example, http://[::1]:8080,,app://obsidian.md,*")
    assert Settings().cors_origins == ("https://a.example", "http://[::1]:8080", "app://obsidian.md", "*")


@pytest.mark.parametrize(
    "origin", ["a.example", "https://a.example/", "https://A.example", "https://*.example", "http://"]
)
def test_what_no_browser_sends_is_rejected(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("CLAUDE_GATEWAY_RUN_DIR", "/r")
    monkeypatch.setenv("CLAUDE_GATEWAY_CORS_ORIGINS", origin)
    with pytest.raises(ValidationError, match="must be \\* or an origin"):
        Settings()
