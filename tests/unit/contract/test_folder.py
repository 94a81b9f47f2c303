"""A bundle in a folder: whole at every moment, private, pruned, repaired."""

import os
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError, secret_entry, unpack
from claude_gateway.names import CURRENT


def bundle(number: int) -> Bundle:
    """One of many bundles, with secrets of its own."""
    values = [f"secret {number}.{part}".encode() for part in range(5)]
    return Bundle(
        gateway=f'{{"number":{number}}}'.encode(),
        litellm=b"model_list: []\n" * number,
        secrets={secret_entry(f"ref{part}", value): value for part, value in enumerate(values)},
    )


def revisions(home: Path) -> set[str]:
    return {path.name for path in (home / "revisions").iterdir()}


def test_what_was_written_is_current_and_read_back(tmp_path: Path) -> None:
    revision = folder.write(tmp_path / "made" / "on the way", bundle(1))
    assert folder.current(tmp_path / "made" / "on the way") == revision == bundle(1).meta.revision
    assert unpack(folder.read(tmp_path / "made" / "on the way", revision)) == bundle(1)


def test_an_empty_or_absent_folder_has_no_current_revision(tmp_path: Path) -> None:
    assert folder.current(tmp_path) is None
    assert folder.current(tmp_path / "absent") is None


def test_a_revision_that_is_gone_is_told(tmp_path: Path) -> None:
    folder.write(tmp_path, bundle(1))
    with pytest.raises(BundleError, match="revision 0123 is no longer in the folder"):
        folder.read(tmp_path, "0123")


def test_the_same_bundle_is_not_written_again(tmp_path: Path) -> None:
    revision = folder.write(tmp_path, bundle(1))
    before = (tmp_path / "revisions" / revision).stat().st_ino, (tmp_path / CURRENT).lstat().st_ino
    assert folder.write(tmp_path, bundle(1)) == revision
    assert before == ((tmp_path / "revisions" / revision).stat().st_ino, (tmp_path / CURRENT).lstat().st_ino)


def test_going_back_uses_the_revision_that_is_still_there(tmp_path: Path) -> None:
    first = folder.write(tmp_path, bundle(1))
    home = tmp_path / "revisions" / first
    before = home.stat().st_ino
    folder.write(tmp_path, bundle(2))
    folder.write(tmp_path, bundle(1))
    assert folder.current(tmp_path) == first
    assert home.stat().st_ino == before


def test_the_last_two_revisions_are_kept(tmp_path: Path) -> None:
    written = [folder.write(tmp_path, bundle(number)) for number in range(5)]
    assert revisions(tmp_path) == set(written[-2:])
    assert sorted(path.name for path in tmp_path.iterdir()) == [CURRENT, "revisions"]


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    first = folder.write(tmp_path, bundle(1))
    second = bundle(2).meta.revision
    for name in (f".{second}.{os.getpid()}", f".{second}.1", ".gone", f".{first}.gone"):
        (tmp_path / "revisions" / name / "config").mkdir(parents=True)
        (tmp_path / "revisions" / name / "config" / "gateway.json").write_bytes(b"half")
    (tmp_path / f".{CURRENT}.{os.getpid()}").symlink_to("nowhere")
    folder.write(tmp_path, bundle(2))
    assert unpack(folder.read(tmp_path, second)) == bundle(2)
    assert revisions(tmp_path) == {first, second}


@pytest.mark.parametrize("damage", ["changed", "lost", "more", "no secrets"])
def test_a_damaged_revision_is_written_again_even_if_it_is_current(tmp_path: Path, damage: str) -> None:
    revision = folder.write(tmp_path, bundle(1))
    home = tmp_path / "revisions" / revision
    match damage:
        case "changed":
            (home / "config" / "gateway.json").write_bytes(b"{}")
        case "lost":
            (home / "config" / "litellm.yaml").unlink()
        case "more":
            (home / "secrets" / "other").write_bytes(b"")
        case _:
            shutil.rmtree(home / "secrets")
    folder.write(tmp_path, bundle(1))
    assert unpack(folder.read(tmp_path, revision)) == bundle(1)
    assert not (home / "secrets" / "other").exists()


def test_nobody_else_can_look_inside(tmp_path: Path) -> None:
    home = tmp_path / "run"
    before = os.umask(0)
    try:
        folder.write(home, bundle(1))
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if not path.is_symlink()}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_a_bundle_that_is_too_large_leaves_everything_as_it_was(tmp_path: Path) -> None:
    revision = folder.write(tmp_path, bundle(1))
    with pytest.raises(BundleError, match="times as large"):
        folder.write(tmp_path, Bundle(gateway=os.urandom(2_000_000), litellm=b""))
    assert folder.current(tmp_path) == revision
    assert revisions(tmp_path) == {revision}


def test_a_revision_that_was_replaced_while_it_was_read_is_gone(tmp_path: Path) -> None:
    revision = folder.write(tmp_path, bundle(1))
    home = tmp_path / "revisions" / revision
    pipe = home / "config" / "a-pipe-that-makes-the-reader-wait"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(folder.read, tmp_path, revision)
        writer = os.open(pipe, os.O_WRONLY)
        home.rename(tmp_path / "before")
        shutil.copytree(tmp_path / "before" / "config", home / "config", ignore=lambda *_: [pipe.name])
        (home / "secrets").mkdir()
        os.close(writer)
        with pytest.raises(BundleError, match=f"revision {revision} is no longer in the folder"):
            reading.result()


def test_a_reader_sees_whole_revisions_only_while_a_writer_swaps(tmp_path: Path) -> None:
    folder.write(tmp_path, bundle(0))
    done = threading.Event()
    seen: set[str] = set()
    torn: list[str] = []

    def look() -> None:
        while not done.is_set():
            revision = folder.current(tmp_path)
            if revision is None:
                torn.append("no current revision")
                continue
            try:
                packed = folder.read(tmp_path, revision)
            except BundleError as error:
                # The reader fell behind by two revisions, as the error says; anything else is torn.
                torn.extend([] if "no longer in the folder" in str(error) else [str(error)])
                continue
            if unpack(packed).meta.revision != revision:
                torn.append(revision)
            seen.add(revision)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(150):
        folder.write(tmp_path, bundle(number % 4))
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert len(seen) > 1
