"""The folder as a source: it offers what is there now and every change."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, unpack
from claude_gateway_proxy.agent.source import FolderSource, Offer


def _bundle(text: str) -> Bundle:
    return Bundle(gateway=text.encode(), litellm=b"")


@asynccontextmanager
async def _watched(path: Path) -> AsyncIterator[Callable[[], "asyncio.Future[Offer]"]]:
    offers: asyncio.Queue[Offer] = asyncio.Queue()
    task = asyncio.create_task(FolderSource(path, poll_seconds=0.005).run(offers.put_nowait))
    try:
        yield lambda: asyncio.ensure_future(asyncio.wait_for(offers.get(), 10))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_offers_what_is_there_and_each_change(tmp_path: Path) -> None:
    first = folder.write(tmp_path, _bundle("1"))
    async with _watched(tmp_path) as offer:
        found = await offer()
        assert (found.revision, found.error) == (first, None)
        assert found.packed is not None
        assert unpack(found.packed) == _bundle("1")

        second = folder.write(tmp_path, _bundle("2"))
        assert (await offer()).revision == second


async def test_a_folder_that_appears_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "later"
    async with _watched(path) as offer:
        found = await offer()
        assert found.packed is None
        assert found.error == f"{path} holds no bundle yet"
        folder.write(path, _bundle("1"))
        assert (await offer()).error is None


async def test_a_damaged_revision_is_an_error_and_offered_again_once_written_again(tmp_path: Path) -> None:
    revision = folder.write(tmp_path, _bundle("1"))
    home = tmp_path / "revisions" / revision
    shutil.rmtree(home / "config")
    async with _watched(tmp_path) as offer:
        found = await offer()
        assert found.packed is None
        assert found.revision == revision
        assert found.error is not None
        assert revision in found.error

        (tmp_path / "current").unlink()
        folder.write(tmp_path, _bundle("1"))
        while (found := await offer()).packed is None:
            pass
        assert (found.revision, found.error) == (revision, None)


async def test_a_folder_that_goes_away_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.mkdir()
    folder.write(path, _bundle("1"))
    async with _watched(path) as offer:
        assert (await offer()).error is None
        shutil.rmtree(path)
        assert (await offer()).packed is None
