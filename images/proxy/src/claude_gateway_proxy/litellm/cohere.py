"""Cohere's answers as Chat Completions: LiteLLM fails on its streams, and treats a failure as a complete answer.

It also drops ``tool_choice`` from requests. Source: docs.cohere.com/reference/chat and chat-stream, version 2 of the
API.
"""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.chat.parts import objects_of
from claude_gateway_proxy.translation.documents import Document

PATH: Final = "/v2/chat"

_CHOICES: Final = {"required": "REQUIRED", "none": "NONE"}
"""Cohere's words for ``tool_choice``; without one, the model is free."""


def install() -> None:
    """Have LiteLLM read the answers from this path as OpenAI's, which they are by then, and send ``tool_choice``.

    Cannot be undone.
    """
    from litellm.llms.cohere.chat.transformation import CohereChatConfig
    from litellm.llms.cohere.chat.v2_transformation import CohereV2ChatConfig
    from litellm.llms.openai.chat.gpt_transformation import OpenAIGPTConfig

    config: Any = CohereV2ChatConfig
    config.transform_response = OpenAIGPTConfig.transform_response
    config.get_model_response_iterator = OpenAIGPTConfig.get_model_response_iterator
    # LiteLLM maps the fields of both versions with the first one's class.
    first: Any = CohereChatConfig
    mapped = first.map_openai_params

    def mapped_with_choice(self: Any, non_default_params: Any, *arguments: Any, **keywords: Any) -> Any:
        found = mapped(self, non_default_params, *arguments, **keywords)
        return found | chosen(non_default_params)

    first.map_openai_params = mapped_with_choice


def chosen(fields: Mapping[str, Any]) -> Document:
    """Return what OpenAI's ``tool_choice`` is for Cohere, which cannot be asked for one tool among several."""
    choice, tools = fields.get("tool_choice"), fields.get("tools")
    if not tools:
        return {}
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        return {"tools": [tool for tool in tools if tool["function"]["name"] == name], "tool_choice": "REQUIRED"}
    word = _CHOICES.get(choice) if isinstance(choice, str) else None
    return {} if word is None else {"tool_choice": word}


def chat(document: Document) -> Document:
    """Return an event of a stream, or a whole answer, as a chunk or as a whole completion."""
    delta = document.get("delta")
    inner = delta if isinstance(delta, dict) else document
    given = inner.get("message")
    message = given if isinstance(given, dict) else {}
    said: Document = {"role": "assistant", "content": message.get("content")}
    plan = message.get("tool_plan")
    if plan:
        # What the model thinks of its calls.
        said["reasoning_content"] = plan
    calls = objects_of(message.get("tool_calls"))
    if calls:
        number = document.get("index")
        numbered = len(calls) == 1 and isinstance(number, int)
        said["tool_calls"] = [{"index": number, **call} for call in calls] if numbered else calls
    part = "delta" if delta is not None else "message"
    choice = {"index": 0, part: said, "finish_reason": inner.get("finish_reason")}
    found: Document = {"object": "chat.completion.chunk" if delta is not None else "chat.completion"}
    has_answer = bool(message) or choice["finish_reason"] is not None
    return {**found, "id": document.get("id"), "choices": [choice] if has_answer else [], **_usage(inner.get("usage"))}


def _usage(usage: Any) -> Document:
    tokens = usage.get("tokens") if isinstance(usage, dict) else None
    if not isinstance(tokens, dict):
        return {}
    counts: Document = {"prompt_tokens": tokens.get("input_tokens"), "completion_tokens": tokens.get("output_tokens")}
    return {"usage": {**counts, "prompt_tokens_details": {"cached_tokens": usage.get("cached_tokens")}}}
