"""Logins that an earlier process left in a private home of the CLI."""

import json
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from claude_gateway_auth.credential import Credential, Method
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.home import Homes, Purpose, Record, digest
from claude_gateway_auth.login_writer import LoginWriter
from claude_gateway_auth.metrics import Metrics
from claude_gateway_auth.refresh import Refresher
from claude_gateway_auth.store.folder import FolderStore

ADA: Final = Credential(
    namespace="ai", name="own", owner="ada@example.com", method=Method.LOGIN, secret_name="own-login"
)
BEA: Final = ADA.model_copy(update={"owner": "bea@example.com"})


def login(mark: str) -> bytes:
    oauth: dict[str, Any] = {
        "accessToken": f"sk-ant-oat01-{mark * 24}",
        "refreshToken": f"sk-ant-ort01-{mark * 24}",
        "expiresAt": int((time.time() + 28_800) * 1000),
        "scopes": ["user:inference"],
    }
    return json.dumps({"claudeAiOauth": oauth}).encode()


class Room:
    """A folder of logins, a folder of homes, and the refresher between them; there is no CLI."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "credentials.json"
        self.name([ADA])
        self.writer = LoginWriter(FolderStore(folder / "state", self._file))
        self.homes = Homes(folder / "run")
        cli = Cli(folder / "none", {})
        self.refresher = Refresher(self.writer, self.homes, cli, early=timedelta(hours=1), metrics=Metrics())

    def name(self, credentials: Sequence[Credential]) -> None:
        """Say which credentials there are."""
        self._file.write_text(json.dumps([each.model_dump(mode="json", by_alias=True) for each in credentials]))

    def leave(self, record: Record, content: bytes) -> Path:
        """Leave a home as a killed process does, and return its folder."""
        home = self.homes.make(record)
        home.give(content)
        home.release()
        return home.folder

    async def stored(self, credential: Credential = ADA) -> bytes | None:
        """Return the login of a credential."""
        return (await self.writer.store.read(credential)).entries.get(credential.method.key)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def test_a_credential_that_goes_during_a_refresh_is_said_once_and_its_login_waits(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old, new = login("a"), login("b")
    await room.writer.sign_in(ADA, old, by="ada")
    home = room.leave(Record(Purpose.REFRESH, "ai", "own", before=digest(old)), new)
    room.name([])
    for _ in range(3):
        await room.refresher.recover(seconds=0)
    assert [record.message for record in caplog.records].count("login_not_stored") == 1
    assert home.exists()
    room.name([ADA])
    await room.refresher.recover(seconds=0)
    assert await room.stored() == new
    assert not home.exists()


async def test_a_sign_in_is_not_stored_for_another_owner(room: Room) -> None:
    home = room.leave(Record(Purpose.SIGN_IN, "ai", "own", by="ada", owner=ADA.owner), login("a"))
    room.name([BEA])
    await room.refresher.recover(seconds=0)
    assert await room.stored(BEA) is None
    assert not home.exists()


async def test_a_sign_in_that_a_killed_process_left_is_stored(room: Room) -> None:
    left = login("a")
    room.leave(Record(Purpose.SIGN_IN, "ai", "own", by="ada", owner=ADA.owner), left)
    await room.refresher.recover(seconds=0)
    assert await room.stored() == left
