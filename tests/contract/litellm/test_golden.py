"""What the real CLI asks, in every other format, is what was reviewed (``python -m tests.support.builders.golden``)."""

import json
import re
from typing import Any, Final

import pytest
from tests.support.builders.golden import BY_CODEC, FOLDER, TARGETS, codec, translated, upstreams

_COUNT: Final = re.compile(r'("input_tokens": )\d+')
_NAME: Final = re.compile(r'("role": "assistant", "model": ")[^"]*')


def committed(kind: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in FOLDER.glob(f"*.{kind}.json")}


@pytest.mark.parametrize("kind", TARGETS)
def test_translations_are_those_reviewed(kind: str) -> None:
    with upstreams() as (upstream, post):
        found = translated(kind, upstream, post)
    reviewed = committed(kind)
    assert found.keys() == reviewed.keys()
    for name, text in found.items():
        assert text.splitlines() == reviewed[name].splitlines(), name


def _alike(value: Any) -> Any:
    """Without what differs: LiteLLM drops nulls and closes no schema, and the scripted model counts bytes.

    The gateway answers under the name that was asked for, and the worker under the target's.
    """
    if isinstance(value, dict):
        kept = {key: _alike(each) for key, each in value.items() if each is not None and key != "additionalProperties"}
        if kept.get("role") == "assistant":
            kept.pop("model", None)
        return {**kept, "input_tokens": 0} if "input_tokens" in kept else kept
    if isinstance(value, list):
        return [_alike(each) for each in value]
    return _NAME.sub(r"\g<1>", _COUNT.sub(r"\g<1>0", value)) if isinstance(value, str) else value


@pytest.mark.parametrize("kind", BY_CODEC)
def test_the_codec_says_the_same_as_litellm(kind: str) -> None:
    with codec() as (upstream, post):
        found = translated(kind, upstream, post)
    reviewed = committed(kind)
    assert found.keys() == reviewed.keys()
    for name, text in found.items():
        assert _alike(json.loads(text)) == _alike(json.loads(reviewed[name])), name
