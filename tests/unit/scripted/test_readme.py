"""The README names all that can be asked for."""

from dataclasses import fields
from pathlib import Path

import pytest

import claude_gateway_scripted
from claude_gateway_scripted import Config, Step

README = Path(claude_gateway_scripted.__file__).parents[2] / "README.md"


@pytest.mark.parametrize("known", [Step, Config])
def test_every_key_is_explained(known: type[Step] | type[Config]) -> None:
    text = README.read_text()
    assert [field.name for field in fields(known) if f"`{field.name}`" not in text] == []
