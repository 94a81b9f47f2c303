"""Audit lines of the operator: one for each change, with its writer, and never a value."""

import logging
from typing import Any

import pytest

from claude_gateway_operator.audit import MOST, Audit

URL = "/apis/claudegateway.io/v1alpha1/namespaces/ns/modelroutes"


def route(
    name: str = "r", *, generation: int = 1, uid: str = "u", writers: list[Any] | None = None, **spec: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "ns", "uid": uid, "generation": generation}
    if writers is not None:
        metadata["managedFields"] = writers
    return {"metadata": metadata, "spec": spec}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    found = [record.__dict__["fields"] for record in caplog.records if record.getMessage() == "audit"]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_what_was_there_at_the_start_is_no_change(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    audit.look(URL, [route(models=["a"])])
    audit.look(URL, [route(models=["a"])])
    assert lines(caplog) == []


def test_a_change_names_its_fields_and_its_last_writer_but_no_value(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    audit.look(URL, [route(models=["a"], targets=[1], suspend=True)])
    writers = [
        {"manager": "helm", "operation": "Update", "time": "2026-11-29T10:00:00Z"},
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-29T11:00:00Z"},
        {"manager": "other", "operation": "Update", "time": "2026-11-29T12:00:00Z", "subresource": "status"},
        {"manager": "claude-gateway/ns/cg", "operation": "Apply", "time": "2026-11-29T13:00:00Z"},
        "odd",
    ]
    audit.look(URL, [route(models=["secret-value"], targets=[1], displayName="x", generation=2, writers=writers)])
    (line,) = lines(caplog)
    assert line == {
        "action": "changed",
        "kind": "ModelRoute",
        "object": "ns/r",
        "fields": ["spec.displayName", "spec.models", "spec.suspend"],
        "generation": 2,
        "by": "kubectl-edit",
        "operation": "Update",
        "at": "2026-11-29T11:00:00Z",
    }


def test_a_status_is_no_change(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    first = route(models=["a"])
    audit.look(URL, [first])
    audit.look(URL, [{**first, "status": {"conditions": []}}])
    assert lines(caplog) == []


def test_objects_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    audit.look(URL, [])
    audit.look(URL, [route(models=["a"])])
    audit.look(URL, [route(models=["a"], uid="another")])
    audit.look(URL, [])
    created, again, deleted = lines(caplog)
    assert (created["action"], created["fields"]) == ("created", ["spec.models"])
    assert (again["action"], again["by"]) == ("created", None)
    assert deleted == {"action": "deleted", "kind": "ModelRoute", "object": "ns/r"}


def test_a_secret_changes_with_its_version(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()

    def secret(version: str) -> dict[str, Any]:
        metadata = {"name": "s", "namespace": "ns", "uid": "u", "resourceVersion": version}
        return {"kind": "PartialObjectMetadata", "metadata": {**metadata, "managedFields": [{"manager": "kubectl"}]}}

    audit.look("/api/v1/secrets", [secret("1")])
    audit.look("/api/v1/secrets", [secret("2")])
    (line,) = lines(caplog)
    assert (line["action"], line["kind"], line["object"], line["by"], line["fields"]) == (
        "changed",
        "Secret",
        "ns/s",
        "kubectl",
        [],
    )


def test_a_flood_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    audit.look(URL, [])
    audit.look(URL, [route(f"r{number}", uid=str(number)) for number in range(MOST + 7)])
    found = lines(caplog)
    assert len(found) == MOST + 1
    assert found[-1] == {"action": "more", "kind": "ModelRoute", "objects": 7}
