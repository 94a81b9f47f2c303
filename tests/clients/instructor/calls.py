"""Runs in the environment of instructor, not in the tests': typed answers in each of its ways, as one JSON object.

``calls.py URL KEY MODEL``: every answer is a ``City``, whichever way instructor asks for it.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import instructor
from anthropic import Anthropic
from openai import OpenAI
from pydantic import BaseModel, field_validator

TURN: list[Any] = [{"role": "user", "content": "Wien?"}]


class City(BaseModel):
    """A city."""

    name: str
    days: list[int]

    @field_validator("days")
    @classmethod
    def some(cls, days: list[int]) -> list[int]:
        """Reject a city without days, so that instructor asks again."""
        if not days:
            raise ValueError("give at least one day")
        return days


def main() -> None:
    """Run the command line."""
    url, key, model = sys.argv[1:]
    openai = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    anthropic = Anthropic(base_url=url, api_key=key, max_retries=0)
    modes = instructor.Mode
    ways: dict[str, Callable[[], Any]] = {}
    for mode in (modes.TOOLS, modes.JSON, modes.JSON_SCHEMA, modes.MD_JSON, modes.RESPONSES_TOOLS):
        ways[f"openai {mode.name}"] = _create(instructor.from_openai(openai, mode=mode), model)
    for mode in (modes.ANTHROPIC_TOOLS, modes.ANTHROPIC_JSON):
        ways[f"anthropic {mode.name}"] = _create(instructor.from_anthropic(anthropic, mode=mode), model, max_tokens=500)
    streaming = instructor.from_openai(openai, mode=modes.TOOLS)

    def parts() -> Any:
        made = streaming.chat.completions.create_partial(response_model=City, model=model, messages=TURN)
        return list(made)[-1]

    ways["openai streamed"] = parts
    print(json.dumps({name: _outcome(way) for name, way in ways.items()}))


def _create(client: Any, model: str, **more: Any) -> Callable[[], Any]:
    return lambda: client.create(response_model=City, model=model, messages=TURN, max_retries=1, **more)


def _outcome(way: Callable[[], Any]) -> Any:
    try:
        return way().model_dump()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
