"""Reading manifests: what is taken, what is refused, and how it is said."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.support.builders import objects as builders
from tests.support.builders.objects import client, credential, manifest, route, secret, target, world

from claude_gateway.names import API_VERSION, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import World


def only(found: World) -> Problem:
    (problem,) = found.problems
    return problem


def test_sound_manifests_have_no_problem() -> None:
    found = world(*builders.sound())
    assert found.problems == ()
    assert [len(part) for part in (found.routes, found.credentials, found.clients, found.secrets)] == [1, 1, 1, 1]


def test_empty_documents_are_left_out() -> None:
    assert world(None, None).problems == ()


@pytest.mark.parametrize("document", [[], "text", 3, True])
def test_a_document_that_is_no_object(document: object) -> None:
    problem = only(world(None, document))
    assert (problem.field, problem.reason, problem.document) == ("kind", Reason.INVALID, 1)


@pytest.mark.parametrize(
    ("written", "field", "hint"),
    [
        ({"kind": "ModelRoute", "apiVersion": "claudegateway.io/v1"}, "apiVersion", API_VERSION),
        ({"kind": "ModelRoute"}, "apiVersion", API_VERSION),
        ({"kind": "Secret"}, "apiVersion", "v1"),
        ({"kind": "ModelRute", "apiVersion": API_VERSION}, "kind", "Did you mean ModelRoute?"),
        ({"kind": "Zzz", "apiVersion": API_VERSION}, "kind", "GatewayClient"),
        ({"kind": 5}, "kind", "ModelRoute"),
        ({}, "kind", "ModelRoute"),
    ],
)
def test_kinds_and_versions_that_nobody_knows(written: dict[str, Any], field: str, hint: str) -> None:
    problem = only(world({"metadata": {"name": "x"}, "spec": {}, **written}))
    assert (problem.field, problem.reason, problem.severity) == (field, Reason.UNKNOWN_KIND, Severity.ERROR)
    assert hint in problem.fix
    assert problem.document == 0


def test_other_kinds_are_a_warning_in_files_and_nothing_in_a_cluster() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    problem = only(world(other))
    assert problem.severity is Severity.WARNING
    assert problem.object == ObjectRef("ConfigMap", "default", "x")
    assert world(other, {"apiVersion": "other.io/v1", "kind": "ModelRoute"}, {}, strict=False).problems == ()
    assert only(world({"apiVersion": "claudegateway.io/v9", "kind": "ModelRoute"}, strict=False)).field == "apiVersion"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        (None, "metadata"),
        ([], "metadata"),
        ({}, "metadata.name"),
        ({"name": None}, "metadata.name"),
        ({"name": 5}, "metadata.name"),
        ({"name": "Not A Name"}, "metadata.name"),
        ({"name": "x", "namespace": "a.b"}, "metadata.namespace"),
        ({"name": "x", "namespace": "../../etc"}, "metadata.namespace"),
        ({"name": "x", "namespace": ""}, "metadata.namespace"),
        ({"name": "x", "creationTimestamp": "yesterday"}, "metadata.creationTimestamp"),
        ({"name": "x", "labels": {"claudegateway.io/credential": True}}, "metadata.labels"),
    ],
)
def test_metadata_that_cannot_be_read(metadata: object, field: str) -> None:
    found = world({**route(), "metadata": metadata})
    problem = only(found)
    assert (problem.field, problem.document) == (field, 0)
    assert found.routes == ()


def test_a_label_without_quotes_says_which_and_what_to_do() -> None:
    labelled = secret()
    labelled["metadata"]["labels"] = {"claudegateway.io/credential": True}
    problem = only(world(labelled))
    assert "`claudegateway.io/credential` must be text" in problem.message
    assert "quotes" in problem.fix


def test_nulls_in_metadata_count_as_absent() -> None:
    found = world(route(), manifest("GatewayClient", "x", client()["spec"], created=None))
    written = route("other")
    written["metadata"] |= {"creationTimestamp": None, "labels": None}
    assert world(written).problems == found.problems == ()


@pytest.mark.parametrize(
    "written", ["2026-01-01T00:00:00", date(2026, 1, 1), datetime.fromisoformat("2026-01-01"), "2026-01-01T00:00:00Z"]
)
def test_a_time_without_zone_is_utc(written: Any) -> None:
    (item,) = world(route(created=written)).routes
    assert item.metadata.creation_timestamp == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_first_of_two_objects_of_one_name_is_kept() -> None:
    first, second = route(models=["claude-a"]), route(models=["claude-b"])
    second["spec"]["nonsense"] = 1
    found = world(first, second, route(namespace="other"))
    assert [item.claims for item in found.routes] == [("claude-a",), ("claude-sonnet-5-5",)]
    problem = only(found)
    assert (problem.reason, problem.field, problem.document) == (Reason.DUPLICATE_OBJECT, "metadata.name", 1)


@pytest.mark.parametrize(
    ("change", "field", "message", "fix"),
    [
        ({"displayname": "x"}, "spec.displayname", "`displayname` is not a known field", "Did you mean `displayName`?"),
        ({"allowed_routes": {}}, "spec.allowed_routes", "not a known field", "Did you mean `allowedRoutes`?"),
        ({"display_name": "x"}, "spec.display_name", "not a known field", "Did you mean `displayName`?"),
        (
            {"zzz": "x"},
            "spec.zzz",
            "not a known field",
            "Known fields: models, displayName, targets, rules, affinity, mirror, cache, timeouts, safeguardsModel, "
            "tokenCounts, allowedClients, allowedRoutes, suspend, limits, gatewayRef.",
        ),
        ({"a/b": "x"}, "spec", "is not a known field", "Known fields"),
        ({"models": None}, "spec.models", "`models` is missing", "Add `models`: Names that clients send."),
        ({"models": "claude-a"}, "spec.models", "must be a list", "Write a list, with `- ` before each entry. Names"),
        ({"models": []}, "spec.models", "no model is listed", "List at least 1."),
        ({"models": ["claude a"]}, "spec.models[0]", "not a model name", "Use letters, digits"),
        ({"targets": ["x"]}, "spec.targets[0]", "must be an object", "Write its fields below it: model, credential,"),
        (
            {"targets": [target(weight="x")]},
            "spec.targets[0].weight",
            "must be a valid integer",
            "Write a whole number",
        ),
        ({"targets": [target(wieght=3)]}, "spec.targets[0].wieght", "not a known field", "Did you mean `weight`?"),
        (
            {"targets": [target(parameters={"topp": 1})]},
            "spec.targets[0].parameters.topp",
            "not a known field",
            "Did you mean `topP`?",
        ),
        ({"targets": [{**target(), "model": 7}]}, "spec.targets[0].model", "must be text", "as LiteLLM"),
        ({"safeguardsModel": ["a"]}, "spec.safeguardsModel", "must be text", "Write text, in quotes. Name of"),
        ({"timeouts": {"idle": "soon"}}, "spec.timeouts.idle", "not a duration", "Write whole numbers"),
    ],
)
def test_mistakes_in_a_spec(change: dict[str, Any], field: str, message: str, fix: str) -> None:
    written = route()
    written["spec"] |= change
    found = world(written)
    problem = only(found)
    assert problem.object == ObjectRef("ModelRoute", "default", "sonnet")
    assert (problem.field, problem.reason, problem.document) == (field, Reason.INVALID, None)
    assert message in problem.message
    assert fix in problem.fix
    assert found.routes[0].spec is None


@pytest.mark.parametrize("name", ["My_Route", "-a", "a/b"])
def test_a_name_that_no_object_can_have(name: str) -> None:
    problem = only(world(manifest("ModelRoute", name, route()["spec"])))
    assert (problem.field, problem.message) == ("metadata.name", "not a name that Kubernetes accepts")
    assert problem.fix.startswith("Use lower-case letters")


@pytest.mark.parametrize("spec", [None, [], "x"])
def test_a_spec_that_is_no_object(spec: object) -> None:
    found = world(manifest("ModelRoute", "x", spec))
    assert only(found).field == "spec"
    assert found.routes[0].claims == ()


def test_no_mistake_shows_a_value() -> None:
    wrong = credential(secretRef="sk-very-secret", baseURL="https://user:sk-very-secret@host/")
    wrong["spec"]["apiKey"]["key"] = "sk-very-secret"
    found = world(
        wrong, client(models="sk-very-secret", keys=[]), manifest("GatewayClient", "b", {"keys": ["sk-very-secret"]})
    )
    assert len(found.problems) >= 4
    assert "sk-very-secret" not in repr(found.problems)


def test_a_cluster_may_know_more_than_we_do() -> None:
    newer = route(targets=[target(sticky=True, parameters={"topK": 3}), target(sticky=False)], affinity="Session")
    newer["metadata"]["future"] = 1
    newer["future"] = 1
    found = world(newer, strict=False)
    assert found.problems == ()
    assert found.routes[0].spec == world(route(targets=[target(), target()])).routes[0].spec
    assert newer["spec"]["targets"][0]["sticky"] is True


def test_a_cluster_may_know_more_and_a_user_still_be_wrong() -> None:
    found = world(route(affinity="Session", timeouts={"idle": "soon"}), strict=False)
    assert only(found).field == "spec.timeouts.idle"


def test_unknown_fields_around_the_spec_are_told_in_files() -> None:
    written = {**route(), "specs": {}}
    written["metadata"]["lables"] = {}
    found = world(written)
    assert [(p.field, p.fix) for p in found.problems] == [
        ("metadata.lables", "Did you mean `labels`?"),
        ("specs", "Did you mean `spec`?"),
    ]
    assert found.routes[0].spec is not None


def test_claims_of_a_spec_that_cannot_be_read_are_kept_as_far_as_they_go() -> None:
    written = route()
    written["spec"] |= {"models": ["claude-a", 5, "claude b", "claude-c"], "zzz": 1}
    (item,) = world(written).routes
    assert item.spec is None
    assert item.claims == ("claude-a", "claude-c")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"data": []}, "data", "must be an object"),
        ({"stringData": "x"}, "stringData", "must be an object"),
        ({"data": {"key": "%%%"}}, "data.key", "not base64"),
        ({"stringData": {"key": 12345678}}, "stringData.key", "must be text"),
        ({"stringData": {5: "x"}}, "stringData", "must be text"),
        ({"stringData": {"key": "\ud800"}}, "stringData.key", "not Unicode"),
    ],
)
def test_mistakes_in_a_secret(change: dict[str, Any], field: str, message: str) -> None:
    problem = only(world({**secret(), **change}))
    assert problem.field == field
    assert message in problem.message


def test_plain_values_win_over_encoded_ones_and_no_repr_shows_them() -> None:
    found = world({**secret(values={"a": "plain-value"}), "data": {"a": "b3RoZXI=", "b": "ZW5jb2RlZC12YWx1ZQ=="}})
    (kept,) = found.secrets.values()
    assert kept.values == {"a": b"plain-value", "b": b"encoded-value"}
    assert "value" not in repr(found)


def test_a_field_of_the_spec_that_is_too_far_out_gets_its_place() -> None:
    misplaced = {**route(), "targets": []}
    (problem,) = [found for found in builders.plan(misplaced).problems if found.field == "targets"]
    assert problem.message == "`targets` belongs below `spec`"
