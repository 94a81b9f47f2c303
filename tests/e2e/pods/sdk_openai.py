"""Runs in a pod: OpenAI's own SDK, configured by the environment alone. Prints what it saw as JSON.

``sdk_openai.py MODEL``
"""

import json
import sys
from typing import Any

import openai

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def main(model: str) -> None:
    """One stream and one tool round trip."""
    client = openai.OpenAI(max_retries=0)
    hello: Any = [{"role": "user", "content": "say [[words 12]]"}]
    chunks = client.chat.completions.create(model=model, messages=hello, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    asked: Any = [{"role": "user", "content": '[[tool weather {"city": "Wien"}]]'}]
    with client.chat.completions.stream(model=model, messages=asked, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls or []
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls]
    back: Any = [*asked, message.model_dump(exclude_none=True, exclude={"parsed"}), *results]
    answer = client.chat.completions.create(model=model, messages=back, tools=[WEATHER])
    models = [found.id for found in client.models.list()]
    seen = {
        "pieces": len(pieces),
        "text": "".join(pieces),
        "calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls],
        "after": answer.choices[0].message.content,
        "models": models,
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
