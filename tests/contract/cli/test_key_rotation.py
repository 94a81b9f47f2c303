"""Keys that rotate under load: helpers fetch them, ``serve`` reloads its files, and no request fails."""

import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import httpx
from tests.support.processes.child import python
from tests.support.processes.command import call
from tests.support.processes.serve import LONG, Serve, Starter
from tests.support.processes.waiting import until

from claude_gateway.cli.files import small_files
from claude_gateway.cli.keyhelper import cache, fresh
from claude_gateway.cli.keyhelper.cache import Rules
from claude_gateway.cli.keys import client_key

SESSIONS: Final = 6
ROTATIONS: Final = 4


class Load:
    """Sessions that send requests without a pause, and ask their helper before each, as Claude Code after its TTL."""

    def __init__(self, serve: Serve, key: Callable[[], str]) -> None:
        self._url, self._key = serve.url, key
        self.statuses: Counter[int] = Counter()
        self.errors: list[BaseException] = []
        self.latest = [""] * SESSIONS
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._session, args=(number,)) for number in range(SESSIONS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def until_all_use(self, key: str) -> None:
        """Wait until every session has sent a request with this key."""
        until(lambda: set(self.latest) == {key} or self.errors, timeout=LONG, what="all sessions to use the new key")

    def _session(self, number: int) -> None:
        body = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
        try:
            held = self._key()
            with httpx.Client(timeout=LONG) as client:
                while not self._over.is_set():
                    # Stale while revalidate: the request still has the old key, and the new one is fetched meanwhile.
                    sent, held = held, self._key()
                    headers = {"authorization": f"Bearer {sent}", "anthropic-version": "2023-06-01"}
                    answer = client.post(f"{self._url}/v1/messages", json=body, headers=headers)
                    self.statuses[answer.status_code] += 1
                    self.latest[number] = sent
        except BaseException as error:
            self.errors.append(error)


def test_no_request_fails_while_keys_rotate(start: Starter, folder: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    (folder / "people.csv").write_text("name\nrobot\n")

    def rotated() -> str:
        """Make one more key for the robot, and return it."""
        given = ("--from", folder / "people.csv", "-o", folder / "robots.yaml", "--handouts", tmp_path / "handouts")
        assert call("key", "new", "robots", *given, "--rotate").code == 0
        handout = tmp_path / "handouts" / "robot.key"
        key = handout.read_text().strip()
        handout.unlink()
        return key

    def fetch() -> fresh.Key:
        return fresh.made(key_file.read_text(), now=0.0, source="the file")

    place = cache.place(tmp_path / "cache", "robot")
    small_files.replace(key_file, rotated(), what="the key")
    serve = start()
    serve.wait_for("ready")
    live = 0
    with Load(serve, lambda: cache.current(place, fetch, rules=Rules(share=0.0)).key.value) as load:
        for _ in range(ROTATIONS):
            new = rotated()
            live += 1
            serve.wait_for("config_live", count=live)
            small_files.replace(key_file, new, what="the key")
            # The grace: the old key goes once every session has used the new one.
            load.until_all_use(new)
            assert call("key", "revoke", "robot", "--old", "-f", folder).code == 0
            live += 1
            serve.wait_for("config_live", count=live)
    assert load.errors == []
    assert set(load.statuses) == {200}, load.statuses
    assert load.statuses[200] >= SESSIONS * ROTATIONS


def test_parallel_processes_fetch_once(tmp_path: Path) -> None:
    """The sessions of a machine start together, such as in the morning."""
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho {client_key.make()}\n")
    tool.chmod(0o700)
    command = python("claude_gateway.cli", "key-helper", "exec", "--share", "10m", "--", str(tool))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=pipe, stderr=pipe) for _ in range(4)]
    outputs = [child.communicate(timeout=LONG) for child in running]
    assert {error for _, error in outputs} == {b""}
    assert len({printed for printed, _ in outputs}) == 1
    assert (tmp_path / "asked").read_text() == "asked\n"
