"""The stand-in inside a test: a thread with a loop of its own, so that blocking clients can call it too."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from claude_gateway_scripted.journal import Recorded
from claude_gateway_scripted.script import Config, Step
from claude_gateway_scripted.server import Server

T = TypeVar("T")


class Scripted:
    """A scripted upstream on a loopback port (0: a free one); a context manager, plain or async.

    Settings are those of ``Config``. ``url`` is without ``/v1``.
    """

    def __init__(self, *, port: int = 0, **settings: Any) -> None:
        self._port = port
        self._server = Server(Config().with_changes(settings))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-upstream", daemon=True)
        self.url = ""

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        start = self._server.start("127.0.0.1", self._port)
        host, port = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        self.url = f"http://{host}:{port}"
        return self

    def stop(self) -> None:
        """Cut off what is still being answered, and close the port."""
        asyncio.run_coroutine_threadsafe(self._server.stop(0.01), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def openai_url(self) -> str:
        """The base URL as OpenAI's SDK takes it."""
        return f"{self.url}/v1"

    @property
    def requests(self) -> tuple[Recorded, ...]:
        """All requests since the start or the last ``forget``, oldest first."""
        return self._call(self._server.journal.requests)

    @property
    def last(self) -> Recorded:
        """The newest request."""
        return self.requests[-1]

    @property
    def open_streams(self) -> int:
        """Streams that are being sent right now."""
        return self._server.streams

    @property
    def pending(self) -> int:
        """Steps of the script that no call has taken yet."""
        return len(self._server.script)

    def script(self, *steps: dict[str, Any]) -> None:
        """Queue steps (keys of ``Step``) behind those already there."""
        parsed = [Step.parse(step) for step in steps]
        self._call(lambda: self._server.script.extend(parsed))

    def configure(self, **settings: Any) -> None:
        """Change settings (keys of ``Config``)."""
        config = self._server.config.with_changes(settings)
        self._call(lambda: self._server.configure(config))

    def forget(self) -> None:
        """Clear journal and script."""
        self._call(self._server.journal.clear)
        self._call(lambda: self._server.script.replace([]))

    def _call(self, function: Callable[[], T]) -> T:
        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()
