"""Tokens that are signed here: what is missing is named."""

from pathlib import Path

import jwt
import pytest

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keyhelper import oidc

CLAIMS = oidc.Claims(issuer="i", subject="s", audience="a", lifetime=60, more={})


def test_without_cryptography_only_a_shared_secret_can_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("a shared secret of more than thirty-two bytes")
    monkeypatch.setattr(jwt.algorithms, "has_crypto", False)
    with pytest.raises(Trouble, match="cryptography, which RS256 needs, is not installed") as caught:
        oidc.sign(key, CLAIMS, algorithm="RS256", key_id=None)
    assert "pip install 'claude-gateway[serve]'" in caught.value.fix
    assert oidc.sign(key, CLAIMS, algorithm="HS256", key_id=None).value.count(".") == 2
