"""Embeddings in the form that was asked for."""

import pytest

from claude_gateway_proxy.translation.embeddings import encoded

NUMBERS, PACKED = [0.5, -1.0], "AAAAPwAAgL8="


@pytest.mark.parametrize("given", [NUMBERS, PACKED])
def test_each_form_becomes_the_other(given: object) -> None:
    answer = {"object": "list", "data": [{"index": 0, "embedding": given}]}
    assert encoded(answer, form="base64") == {"object": "list", "data": [{"index": 0, "embedding": PACKED}]}
    assert encoded(answer, form=None)["data"] == [{"index": 0, "embedding": NUMBERS}]


@pytest.mark.parametrize(
    "data", [None, [3], [{"index": 0}], [{"embedding": None}], [{"embedding": ["x"]}], [{"embedding": "AAA"}]]
)
def test_what_is_no_embedding_stays_as_it_is(data: object) -> None:
    for form in ("base64", "float"):
        assert encoded({"data": data}, form=form) == {"data": data}
