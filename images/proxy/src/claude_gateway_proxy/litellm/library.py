"""LiteLLM itself: imported once something needs it, in a thread, without its telemetry.

A pure Claude installation never pays the two seconds and 100 MB of the import.
"""

import asyncio
import gc
import importlib.util
import logging
import sys
import time
from types import ModuleType
from typing import Any, Final

from claude_gateway_proxy.litellm import cohere, downloads, ends, schemas
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)

_CHATTY: Final = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai", "aiohttp", "asyncio")
"""Loggers of libraries whose lines may contain addresses, keys in them, or content."""

_CHUNKS_KEPT: Final = 10_000
"""Chunks of a stream that are kept at least."""


class Library:
    """LiteLLM's module, imported when it is first needed."""

    def __init__(self) -> None:
        self._loading: asyncio.Task[Any] | None = None

    @property
    def loaded(self) -> bool:
        """Whether the next ``get`` needs no waiting."""
        return self._loading is not None and self._loading.done()

    def preload(self) -> None:
        """Start the import, unless it has started; needs a running event loop."""
        if self._loading is None:
            self._loading = asyncio.create_task(_load())

    async def get(self) -> Any:
        """LiteLLM's module. A caller that is cancelled while it waits does not stop the import."""
        self.preload()
        if self._loading is None:
            raise RuntimeError("the import has not begun")
        return await asyncio.shield(self._loading)


async def _load() -> Any:
    began = time.monotonic()
    module = await asyncio.to_thread(import_litellm)
    await _warm(module)
    # A full garbage collection walks every object that is not frozen. LiteLLM's modules are a million of them, and
    # every open stream would wait 0.2 s for the walk. No stream is open yet: all of them need LiteLLM.
    gc.collect()
    gc.freeze()
    emit(_log, "litellm_loaded", took_ms=round((time.monotonic() - began) * 1000))
    return module


async def _warm(module: Any) -> None:
    """Answer one request without an upstream: much of LiteLLM is imported by the first, half a second of it."""
    answer = await module.acompletion(
        model="hosted_vllm/none",
        max_tokens=1,
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        mock_response="hello",
    )
    async for _ in answer:
        pass


def import_litellm() -> Any:
    """Import LiteLLM and set it up for this process. The environment must have been reduced before."""
    # LiteLLM looks for its proxy server in every Messages request; where it is not installed, each failed import
    # costs 0.1 s. None in this place makes the import fail at once.
    sys.modules["litellm.proxy.proxy_server"] = None  # type: ignore[assignment]
    _stand_in_for_google()
    import litellm
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    litellm.modify_params = True
    litellm.disable_streaming_logging = True
    litellm.turn_off_message_logging = True
    litellm.num_retries = 0
    _stream_unknown_models(litellm)
    _forget_old_chunks()
    downloads.install()
    ends.install()
    cohere.install()
    schemas.install()
    # One pool for all that goes through OpenAI's SDK; without it some calls open a connection each and never close it.
    litellm.aclient_session = AsyncHTTPHandler(timeout=None).client
    return litellm


def _stream_unknown_models(litellm: Any) -> None:
    """Make LiteLLM stream from models of the Responses API that it does not know.

    LiteLLM would request a whole answer and split it into a stream; that is right only for models known not to stream.
    """
    from litellm.llms.openai.responses.transformation import OpenAIResponsesAPIConfig

    fakes = OpenAIResponsesAPIConfig.should_fake_stream

    def fakes_known(
        config: Any, model: str | None, stream: bool | None, custom_llm_provider: str | None = None
    ) -> bool:
        known = model in litellm.model_cost or f"{custom_llm_provider}/{model}" in litellm.model_cost
        return known and fakes(config, model, stream, custom_llm_provider)

    OpenAIResponsesAPIConfig.should_fake_stream = fakes_known  # type: ignore[assignment, method-assign]


class _Recent(list[Any]):
    """A list that keeps what was appended last."""

    def append(self, chunk: Any) -> None:
        if len(self) >= 2 * _CHUNKS_KEPT:
            del self[:_CHUNKS_KEPT]
        super().append(chunk)


def _forget_old_chunks() -> None:
    """Bound what LiteLLM keeps of a stream: every chunk, as objects ten times as large as what came.

    It looks for repetitions in the last ones, and counts the tokens of an answer whose upstream did not.
    """
    from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper

    begin = CustomStreamWrapper.__init__

    def begin_bounded(wrapper: Any, *arguments: Any, **keywords: Any) -> None:
        begin(wrapper, *arguments, **keywords)
        wrapper.chunks = _Recent(wrapper.chunks)

    CustomStreamWrapper.__init__ = begin_bounded  # type: ignore[assignment, method-assign]


def _stand_in_for_google() -> None:
    """Let LiteLLM count Gemini's tokens without Google's SDK, of which it only imports a class that it never uses."""
    if importlib.util.find_spec("google.genai") is not None:
        return
    package, types = ModuleType("google.genai"), ModuleType("google.genai.types")
    types.FunctionResponse = None  # type: ignore[attr-defined]
    sys.modules |= {"google.genai": package, "google.genai.types": types}
