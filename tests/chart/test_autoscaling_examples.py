"""The examples for scaling by requests in flight fit the chart, its metrics, and the formats of their readers."""

from pathlib import Path
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]
import yaml
from tests.chart.test_manifests import supported, validate
from tests.support.kube.chart import Manifest, render

from claude_gateway import metric_names

METRIC_QUEUE: Final = "claude_gateway_claude_code_queue"
FOLDER = Path("examples/autoscaling")
COUNT: Final = {"type": "integer", "minimum": 0}
TEXT: Final = {"type": "string", "minLength": 1}


def closed(*required: str, **properties: Any) -> Manifest:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


# https://keda.sh/docs/latest/reference/scaledobject-spec/ and https://keda.sh/docs/latest/scalers/prometheus/
SCALED_OBJECT = closed(
    *("scaleTargetRef", "triggers"),
    scaleTargetRef=closed("name", apiVersion=TEXT, kind=TEXT, name=TEXT, envSourceContainerName=TEXT),
    minReplicaCount=COUNT,
    maxReplicaCount=COUNT,
    pollingInterval=COUNT,
    cooldownPeriod=COUNT,
    advanced=closed(horizontalPodAutoscalerConfig=closed(name=TEXT, behavior={"type": "object"})),
    triggers={
        "type": "array",
        "minItems": 1,
        "items": closed(
            *("type", "metadata"),
            type={"const": "prometheus"},
            name=TEXT,
            metricType={"enum": ["AverageValue", "Value"]},
            metadata=closed(
                *("serverAddress", "query", "threshold"),
                serverAddress=TEXT,
                query=TEXT,
                threshold=TEXT,
                activationThreshold=TEXT,
            ),
        ),
    },
)
# https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md
RULE = closed(
    *("seriesQuery", "resources", "metricsQuery"),
    seriesQuery=TEXT,
    resources=closed(overrides={"type": "object", "additionalProperties": closed("resource", resource=TEXT)}),
    name=closed(matches=TEXT, **{"as": TEXT}),
    metricsQuery=TEXT,
)


def example(name: str) -> Manifest:
    found: Manifest = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return found


def test_keda_scales_the_deployment_and_the_chart_leaves_the_number_to_it() -> None:
    scaled = example("keda")
    jsonschema.validate(scaled["spec"], SCALED_OBJECT)
    rendered = render(example("keda-values"), namespace=scaled["metadata"]["namespace"])
    target = scaled["spec"]["scaleTargetRef"]
    deployment = rendered.one(target["kind"], target["name"])
    assert deployment["apiVersion"] == target["apiVersion"]
    assert "replicas" not in deployment["spec"]
    assert rendered.all("HorizontalPodAutoscaler") == []
    assert (
        f'{metric_names.IN_FLIGHT}{{namespace="ai",process="gateway"}}'
        in scaled["spec"]["triggers"][0]["metadata"]["query"]
    )


def test_the_adapter_serves_the_metric_that_the_autoscaler_asks_for() -> None:
    rule, _ = example("prometheus-adapter")["rules"]["custom"]
    jsonschema.validate(rule, RULE)
    assert rule["seriesQuery"].startswith(metric_names.IN_FLIGHT)
    (scaler,) = render(example("prometheus-adapter-values")).all("HorizontalPodAutoscaler")
    validate(scaler, supported()[-1])
    cpu, requests = scaler["spec"]["metrics"]
    assert cpu["type"] == "ContainerResource"
    assert requests["pods"]["metric"]["name"] == rule["name"]["as"]


def test_the_backend_scales_by_its_queue() -> None:
    scaled = example("keda-claude-code")
    jsonschema.validate(scaled["spec"], SCALED_OBJECT)
    rendered = render(example("keda-claude-code-values"), namespace=scaled["metadata"]["namespace"])
    target = scaled["spec"]["scaleTargetRef"]
    assert "replicas" not in rendered.one(target["kind"], target["name"])["spec"]
    assert f'{METRIC_QUEUE}{{namespace="ai"}}' in scaled["spec"]["triggers"][0]["metadata"]["query"]
    _, rule = example("prometheus-adapter")["rules"]["custom"]
    jsonschema.validate(rule, RULE)
    (scaler,) = render(example("prometheus-adapter-claude-code-values")).all("HorizontalPodAutoscaler")
    validate(scaler, supported()[-1])
    assert scaler["spec"]["metrics"][1]["pods"]["metric"]["name"] == rule["name"]["as"] == METRIC_QUEUE
