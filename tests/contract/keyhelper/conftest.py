"""Key helpers as people run them, with a cache of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.processes.command import Outcome, call
from tests.support.processes.vault import Vault, vault

Helper = Callable[..., Outcome]


@pytest.fixture
def helper(tmp_path: Path) -> Helper:
    """Run ``key-helper`` with no other variables of Vault than those of the test."""
    clean: dict[str, str | None] = {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path / "home"),
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": None,
        **dict.fromkeys(("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT")),
    }

    def run(*arguments: str | Path, **environment: str) -> Outcome:
        return call("key-helper", *arguments, environment={**clean, **environment})

    return run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Vault]:
    with vault(tmp_path) as running:
        yield running
