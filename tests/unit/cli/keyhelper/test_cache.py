"""The cache of a key helper: who may read it, who fetches, and what stands in for a key that cannot be fetched."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keyhelper import cache
from claude_gateway.cli.keyhelper.cache import Rules
from claude_gateway.cli.keyhelper.fresh import Key, PassingTrouble

RULES = Rules(ttl=300.0, share=30.0, grace=600.0, timeout=5.0)


class Source:
    """Hands out numbered keys and counts; ``error`` is raised in place of one."""

    def __init__(self, *, lifetime: float | None = None) -> None:
        self.now = 1000.0
        self.asked = 0
        self.error: Trouble | None = None
        self._lifetime = lifetime

    def fetch(self) -> Key:
        self.asked += 1
        if self.error is not None:
            raise self.error
        end = None if self._lifetime is None else self.now + self._lifetime
        return Key(f"cgw_number-{self.asked}", fetched=self.now, expires=end)

    def clock(self) -> float:
        return self.now

    def get(self, path: Path, rules: Rules = RULES) -> cache.Printed:
        return cache.current(path, self.fetch, rules=rules, clock=self.clock)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    found = cache.place(cache.folder({"XDG_CACHE_HOME": str(tmp_path)}), "vault", "https://vault.example", "team/alice")
    yield found
    assert "alice" not in str(found.relative_to(tmp_path))


def test_calls_share_a_key_for_a_time(path: Path) -> None:
    source = Source()
    values = []
    for source.now in (1000.0, 1030.0, 1031.0):
        values.append(source.get(path).key.value)
    assert values == ["cgw_number-1", "cgw_number-1", "cgw_number-2"]


def test_a_key_that_ends_before_claude_code_asks_again_is_not_shared(path: Path) -> None:
    source = Source(lifetime=320.0)
    assert source.get(path).key.value == "cgw_number-1"
    source.now += 20
    assert source.get(path).key.value == "cgw_number-1"
    source.now += 1
    assert source.get(path).key.value == "cgw_number-2"


def test_a_life_that_is_too_short_is_said_with_the_variable_to_set(path: Path) -> None:
    printed = Source(lifetime=60.0).get(path)
    assert "CLAUDE_CODE_API_KEY_HELPER_TTL_MS=30000" in printed.note
    assert "cgw_" not in printed.note


def test_a_key_that_has_ended_is_not_printed(path: Path) -> None:
    with pytest.raises(Trouble, match="ended already"):
        Source(lifetime=-1.0).get(path)


def test_only_its_user_may_read_the_file_and_the_folder(path: Path) -> None:
    os.umask(os.umask(0o000))
    Source().get(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert "vault.example" not in path.read_text()


def test_a_folder_that_others_can_enter_is_closed(path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o755)
    path.parent.chmod(0o755)
    Source().get(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def _readable(path: Path) -> None:
    path.chmod(0o644)


def _linked(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def _broken(path: Path) -> None:
    path.write_text("{")


def _strange(path: Path) -> None:
    path.write_text('{"key": 5, "fetched": "x", "expires": []}')


@pytest.mark.parametrize("spoil", [_readable, _linked, _broken, _strange])
def test_a_file_that_cannot_be_trusted_is_not_used(path: Path, spoil: Callable[[Path], None]) -> None:
    source = Source()
    source.get(path)
    spoil(path)
    assert source.get(path).key.value == "cgw_number-2"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_last_key_stands_in_while_its_source_is_away(path: Path) -> None:
    source = Source()
    source.get(path)
    source.now, source.error = 1600.0, PassingTrouble("Vault cannot be reached", fix="Wait.")
    printed = source.get(path)
    assert printed.key.value == "cgw_number-1"
    assert "Vault cannot be reached" in printed.note
    source.now = 1601.0
    with pytest.raises(PassingTrouble):
        source.get(path)


def test_the_last_key_does_not_stand_in_after_its_end(path: Path) -> None:
    source = Source(lifetime=310.0)
    source.get(path)
    source.now, source.error = 1306.0, PassingTrouble("away", fix="Wait.")
    with pytest.raises(PassingTrouble):
        source.get(path)


def test_the_last_key_does_not_stand_in_for_one_that_was_refused(path: Path) -> None:
    source = Source()
    source.get(path)
    source.now, source.error = 1100.0, Trouble("permission denied", fix="Log in again.")
    with pytest.raises(Trouble, match="permission denied"):
        source.get(path)


def test_one_of_many_sessions_fetches(path: Path) -> None:
    source = Source()
    begun = threading.Barrier(8)
    values: list[str] = []

    def session() -> None:
        begun.wait()
        values.append(source.get(path).key.value)

    threads = [threading.Thread(target=session) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (source.asked, set(values)) == (1, {"cgw_number-1"})


def test_a_lock_that_is_never_given_back_is_said(path: Path) -> None:
    source = Source()

    def nested() -> Key:
        return source.get(path, Rules(timeout=0.0)).key

    with pytest.raises(Trouble, match="another key helper"):
        cache.current(path, nested, rules=RULES)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble) as caught:
        Source().get(tmp_path / "file" / "key.json")
    assert "XDG_CACHE_HOME" in caught.value.fix


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".cache" / "claude-gateway" / "key-helper"
    # A relative path is not allowed by the XDG specification.
    assert [cache.folder({}), cache.folder({"XDG_CACHE_HOME": "relative"})] == [home, home]
