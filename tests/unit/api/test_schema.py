"""From pydantic to structural schemas: what an API server refuses is rewritten, or is an error."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from claude_gateway.api.base import Spec
from claude_gateway.api.schema import NotStructural, structural


def field_schema(annotation: Any, **extra: Any) -> dict[str, Any]:
    """The structural schema of one field of this type."""
    model = type("Sample", (BaseModel,), {"__annotations__": {"value": annotation}, **extra})
    properties: dict[str, Any] = structural(model)["properties"]
    schema: dict[str, Any] = properties["value"]
    return schema


class Inner(BaseModel):
    """An inner value."""

    text: str = Field(description="Some text.")


class Cat(BaseModel):
    """A cat."""

    kind: Literal["cat"]


class Dog(BaseModel):
    """A dog."""

    kind: Literal["dog"]


class Tree(BaseModel):
    """A value that holds itself."""

    children: "tuple[Tree, ...]" = ()


def test_references_are_written_in_place() -> None:
    assert field_schema(Inner) == {
        "type": "object",
        "description": "An inner value.",
        "required": ["text"],
        "properties": {"text": {"type": "string", "description": "Some text."}},
    }


def test_a_fields_own_description_beats_that_of_its_model() -> None:
    assert field_schema(Annotated[Inner, Field(description="Mine.")])["description"] == "Mine."


def test_an_optional_field_is_just_not_required() -> None:
    class Sample(BaseModel):
        value: str | None = None

    assert structural(Sample) == {"type": "object", "properties": {"value": {"type": "string"}}}


def test_an_optional_field_of_a_model_keeps_the_fields_description() -> None:
    class Sample(BaseModel):
        value: Inner | None = Field(default=None, description="Mine.")

    assert structural(Sample)["properties"]["value"]["description"] == "Mine."


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Literal["one"], {"type": "string", "enum": ["one"]}),
        (Literal["one", "two"], {"type": "string", "enum": ["one", "two"]}),
        (Annotated[int, Field(gt=3, lt=9)], {"type": "integer", "minimum": 3, "maximum": 9}),
        (Annotated[float, Field(ge=0, le=1)], {"type": "number", "minimum": 0, "maximum": 1}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (dict[str, Any], {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        (int | str, {"x-kubernetes-int-or-string": True}),
        (
            Annotated[tuple[str, ...], Field(json_schema_extra={"uniqueItems": True})],
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        ),
    ],
)
def test_keywords_are_rewritten(annotation: Any, expected: dict[str, Any]) -> None:
    schema = field_schema(annotation)
    exclusive = {key: schema.pop(key) for key in ("exclusiveMinimum", "exclusiveMaximum") if key in schema}
    assert schema == expected
    assert set(exclusive.values()) <= {True}


def test_exclusive_bounds_are_boolean() -> None:
    assert field_schema(Annotated[int, Field(gt=3)]) == {"type": "integer", "minimum": 3, "exclusiveMinimum": True}


def test_fields_beyond_the_known_ones_are_pruned_not_forbidden() -> None:
    class Sample(BaseModel):
        model_config = ConfigDict(extra="forbid")
        value: str

    assert "additionalProperties" not in structural(Sample)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[Cat | Dog, Field(discriminator="kind")],
        Cat | Dog,
        str | bool | None,
    ],
)
def test_unions_are_an_error_that_says_what_to_write_instead(annotation: Any) -> None:
    with pytest.raises(NotStructural, match=r"Sample\.value: .*one optional field per variant"):
        field_schema(annotation)


@pytest.mark.parametrize("annotation", [tuple[int, str], Annotated[str, Field(json_schema_extra={"not": {}})]])
def test_what_has_no_structural_form_is_an_error(annotation: Any) -> None:
    with pytest.raises(NotStructural, match=r"Sample\.value: .*no structural form"):
        field_schema(annotation)


def test_a_model_that_holds_itself_is_an_error() -> None:
    with pytest.raises(NotStructural, match="contains itself"):
        structural(Tree)


def test_no_default_ever_stands_in_a_schema() -> None:
    class Sample(Spec):
        value: str = "x"

    assert structural(Sample)["properties"]["value"] == {"type": "string"}
