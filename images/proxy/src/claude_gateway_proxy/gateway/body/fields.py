"""The top-level fields of a request body: their limit, and the rejected spellings of known names."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.errors import Failure, bad_request

COUNT_LIMIT: Final = 1000
"""The most top-level fields of a body; the formats define fewer than a hundred."""

_SMALL: Final = 64 * 1024
"""The largest body that is decoded before its fields are counted: it cannot have enough of them to matter."""


def _names(*texts: str) -> frozenset[str]:
    return frozenset(name for text in texts for name in text.split())


KNOWN: Final = _names(
    # Anthropic: Messages and CountTokens, and what the clouds add.
    "anthropic_beta anthropic_version betas container context_management inference_geo max_tokens mcp_servers messages "
    "metadata model output_config output_format safeguards service_tier speed stop_sequences stream system temperature "
    "thinking tool_choice tools top_k top_p",
    # OpenAI: Chat Completions, Completions, Responses and Embeddings.
    "audio background best_of conversation dimensions echo encoding_format frequency_penalty function_call functions "
    "include input instructions logit_bias logprobs max_completion_tokens max_output_tokens max_tool_calls modalities "
    "moderation n parallel_tool_calls prediction presence_penalty previous_response_id prompt prompt_cache_key "
    "prompt_cache_retention reasoning reasoning_effort response_format safety_identifier seed stop store "
    "stream_options suffix text top_logprobs truncation user verbosity web_search_options",
    # Servers behind the OpenAI wire: fields that select a model, a server or a kind of answer.
    "api_base api_key base_url chat_template chat_template_kwargs content_policy_fallbacks context_window_fallbacks "
    "deployment deployment_id documents engine extra_body extra_headers fallback fallbacks guided_json keep_alive "
    "min_p min_tokens model_id models options plugins preset provider provider_options repetition_penalty route "
    "tags think transforms user_config",
)
"""The documented fields of every format, and further fields that servers of the format accept."""


class _Key(str):
    __slots__ = ()


_PLAIN: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_COUNTED: Final = dict[_Key, msgspec.Raw]


def decode(raw: bytes) -> Mapping[str, msgspec.Raw]:
    """Decode the top level of a body; of a key that comes twice, the last value.

    Raises msgspec's errors, and Failure (400) at the first field above the limit: decoding millions of them would block
    every other request for seconds.
    """
    if len(raw) <= _SMALL:
        fields = _PLAIN.decode(raw)
        if len(fields) > COUNT_LIMIT:
            raise _too_many()
        return fields
    left = COUNT_LIMIT

    def counted(_: type, key: Any) -> _Key:
        nonlocal left
        left -= 1
        if left < 0:
            raise _too_many()
        return _Key(key)

    found: dict[str, msgspec.Raw] = msgspec.json.decode(raw, type=_COUNTED, dec_hook=counted)
    return found


def check_spelling(keys: Iterable[str]) -> None:
    """Check that no key differs only by case from a known field or from another key. Raises Failure (400).

    Go's and .NET's decoders ignore the case of keys and use the last of two, so the upstream would read another value
    than the gateway checked.
    """
    odd = [key for key in keys if not (key.isascii() and key.islower())]
    if not odd:
        return
    others = KNOWN.union(keys).difference(odd)
    seen: set[str] = set()
    for key in odd:
        name = folded(key)
        if name in others or name in seen:
            raise bad_request(f"the body has a field that differs from '{name[:64]}' only by case: use one spelling")
        seen.add(name)


def folded(key: str) -> str:
    """Return a canonical spelling, equal for all keys that some decoder treats as the same."""
    # Upper case first: it joins letters that case folding alone keeps apart, such as the dotless i and i.
    return key.upper().casefold()


def _too_many() -> Failure:
    return bad_request(f"the body has more than {COUNT_LIMIT} top-level fields")
