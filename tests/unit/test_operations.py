"""One row per client format, and the tables of single rooms that must know every format."""

import pytest

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Target, Wire
from claude_gateway_proxy.gateway.lanes.endpoint import endpoint, has_endpoint
from claude_gateway_proxy.gateway.wire.paths import ModelPath, model_path
from claude_gateway_proxy.litellm import fields
from claude_gateway_proxy.litellm.app import FORMATS
from claude_gateway_proxy.operations import OPERATIONS, OUTPUT_LIMITS


def test_every_format_has_a_row_and_a_path_of_its_own() -> None:
    assert set(OPERATIONS) == set(Format)
    assert all(operation.format is format for format, operation in OPERATIONS.items())
    assert len({operation.path for operation in OPERATIONS.values()}) == len(Format)


@pytest.mark.parametrize("format", list(Format))
def test_every_room_knows_every_format(format: Format) -> None:
    operation = OPERATIONS[format]
    path = f"/v1{operation.path}"
    assert model_path(path, path.encode()) == ModelPath(operation.wire, format)
    assert FORMATS[path] is format
    assert set(operation.output_limits) <= fields.FIELDS[format].allowed


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("wire", list(Wire))
def test_a_wire_has_an_endpoint_for_its_operations_only(wire: Wire, format: Format) -> None:
    target = Target(id="t", provider="p", model="m", wire=wire, base_url="http://h/v1")
    if wire is Wire.VERTEX:
        target = Target.model_validate({**target.model_dump(), "google": {"project": "p", "location": "l"}})
    assert has_endpoint(target, format) == (wire in OPERATIONS[format].wires)
    if has_endpoint(target, format):
        assert endpoint(target, format=format, secrets={}).wire is wire


def test_claude_wires_and_output_limits() -> None:
    assert all(each.wires == CLAUDE_WIRES or each.wires == {Wire.OPENAI} for each in OPERATIONS.values())
    assert OUTPUT_LIMITS == ("max_tokens", "max_completion_tokens", "max_output_tokens")
    assert [each.format for each in OPERATIONS.values() if not each.generates] == [
        Format.COUNT_TOKENS,
        Format.EMBEDDINGS,
    ]
