"""Runs in a pod: Anthropic's own SDK, configured by the environment alone. Prints what it saw as JSON.

``sdk_anthropic.py MODEL``
"""

import json
import sys
from typing import Any

import anthropic

WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def text(message: anthropic.types.Message) -> str:
    """Return the words of a message."""
    return "".join(block.text for block in message.content if block.type == "text")


def main(model: str) -> None:
    """One stream and one tool round trip."""
    client = anthropic.Anthropic(max_retries=0)
    hello: Any = [{"role": "user", "content": "say [[words 12]]"}]
    with client.messages.stream(model=model, max_tokens=999, messages=hello) as stream:
        pieces = list(stream.text_stream)
    asked: Any = [{"role": "user", "content": '[[tool weather {"city": "Wien"}]]'}]
    with client.messages.stream(model=model, max_tokens=999, tools=[WEATHER], messages=asked) as stream:
        message = stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    results: Any = [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls]
    back: Any = [
        *asked,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
        {"role": "user", "content": results},
    ]
    answer = client.messages.create(model=model, max_tokens=999, tools=[WEATHER], messages=back)
    models = [found.id for found in client.models.list()]
    seen = {
        "pieces": len(pieces),
        "text": "".join(pieces),
        "calls": [[call.name, call.input] for call in calls],
        "after": text(answer),
        "models": models,
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
