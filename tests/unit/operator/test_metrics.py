"""The operator's metrics of objects."""

from tests.support.builders.objects import credential, plan, route, secret, target

from claude_gateway_operator.metrics import Metrics


def test_each_object_has_its_conditions_by_name_and_goes_with_the_object() -> None:
    metrics = Metrics()
    metrics.show(plan(secret(), credential(), route("bad", targets=[target(credential="gone")])))
    name = "claude_gateway_operator_object_condition"
    labels = {"kind": "ModelRoute", "namespace": "default", "name": "bad", "condition": "ResolvedRefs"}
    assert metrics.registry.get_sample_value(name, labels) == 0
    labels["condition"] = "Accepted"
    assert metrics.registry.get_sample_value(name, labels) == 1
    metrics.show(plan(secret(), credential()))
    assert metrics.registry.get_sample_value(name, labels) is None
