"""Runs in a pod: LangChain's ChatOpenAI, configured by the environment alone. Prints what it saw as JSON.

``sdk_langchain.py MODEL``
"""

import json
import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

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
    chat = ChatOpenAI(model=model, max_retries=0)
    pieces = [chunk.text for chunk in chat.stream("say [[words 12]]") if chunk.text]
    able = chat.bind_tools([WEATHER])
    asked = HumanMessage('[[tool weather {"city": "Wien"}]]')
    called = able.invoke([asked])
    results = [ToolMessage("sun", tool_call_id=call["id"]) for call in called.tool_calls]
    answer = able.invoke([asked, called, *results])
    seen = {
        "pieces": len(pieces),
        "text": "".join(pieces),
        "calls": [[call["name"], call["args"]] for call in called.tool_calls],
        "after": answer.text,
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
