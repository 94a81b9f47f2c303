"""The CRDs on a real API server: what it takes, what it refuses, and the words that a user reads."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.builders.specs import INVALID, VALID
from tests.support.builders.specs.case import Case
from tests.support.kube.apiserver import ApiError, ApiServer

from claude_gateway.api.crd import crd_documents
from claude_gateway.api.kinds import KINDS
from claude_gateway.names import API_VERSION, Kind

PLURALS = {kind.kind: kind.plural for kind in KINDS}
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
DRY_RUN = "?dryRun=All&fieldValidation=Strict"


def collection(kind: str, namespace: str = "default") -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURALS[kind]}"  # type: ignore[index]


def create(api: ApiServer, kind: str, spec: Any) -> Any:
    body = {"apiVersion": API_VERSION, "kind": str(kind), "metadata": {"name": "x"}, "spec": spec}
    return api.create(f"{collection(kind)}{DRY_RUN}", body)


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_it_takes_what_is_valid(api: ApiServer, case: Case) -> None:
    made = create(api, case.kind, case.spec)
    assert made["spec"] == without_nulls(case.spec), "nothing is added (no default), nothing is dropped"


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_it_refuses_what_is_not_with_field_and_words(api: ApiServer, case: Case) -> None:
    with pytest.raises(ApiError) as refused:
        create(api, case.kind, case.spec)
    assert refused.value.status == 422
    assert case.message in refused.value.message
    if case.field:
        assert f"spec.{case.field}" in refused.value.message


def test_a_mistake_is_reported_once_and_in_words(api: ApiServer) -> None:
    spec = {"models": ["not a name"], "targets": [{"model": "openai/x", "credential": "c"}]}
    with pytest.raises(ApiError) as refused:
        create(api, "ModelRoute", spec)
    assert refused.value.message.count("spec.models[0]") == 1
    assert "should match" not in refused.value.message


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(field) for name, field in value.items() if field is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def rules(schema: Any) -> Iterator[str]:
    """The message of every rule in a schema."""
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from rules(inner)


def test_every_rule_is_broken_by_some_case_and_said_word_for_word(api: ApiServer) -> None:
    said = []
    for case in INVALID:
        with pytest.raises(ApiError) as refused:
            create(api, case.kind, case.spec)
        said.append(refused.value.message)
    declared = {message for document in crd_documents() for message in rules(document["spec"])}
    assert declared
    assert {message for message in declared if not any(message in text for text in said)} == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_it_takes_our_own_examples(api: ApiServer, kind: Any) -> None:
    for example in kind.examples:
        create(api, kind.kind, example["spec"])


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_it_takes_every_file_of_the_examples(api: ApiServer, file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        if document is not None and document.get("apiVersion") == API_VERSION:
            create(api, document["kind"], document["spec"])


def test_a_typing_mistake_is_refused_by_kubectls_strict_way(api: ApiServer) -> None:
    spec = {"models": ["x"], "targets": [{"model": "openai/x", "credential": "c", "wieght": 3}]}
    with pytest.raises(ApiError, match=re.escape('unknown field "spec.targets[0].wieght"')):
        create(api, "ModelRoute", spec)


def test_kubectl_get_shows_whether_it_is_ready_and_why(api: ApiServer) -> None:
    for kind in KINDS:
        columns = [column.name for column in kind.columns if not column.wide]
        assert columns[-6:-1] == ["Ready", "Reason", "Accepted", "Refs", "Programmed"]
        api.apply(
            f"{collection(kind.kind)}/shown",
            {
                "apiVersion": API_VERSION,
                "kind": kind.kind,
                "metadata": {"name": "shown"},
                "spec": kind.examples[0]["spec"],
            },
        )
        condition = {
            "type": "Ready",
            "status": "False",
            "reason": "Pending",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        api.merge(f"{collection(kind.kind)}/shown/status", {"status": {"conditions": [condition]}})
        rows = table(api, f"{collection(kind.kind)}/shown")
        assert (rows["Ready"], rows["Reason"]) == ("False", "Pending")
        api.delete(f"{collection(kind.kind)}/shown")


def table(api: ApiServer, path: str) -> dict[str, Any]:
    """One object as ``kubectl get`` shows it."""
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    headers = {"authorization": f"Bearer {api._admin}", "accept": accept}
    request = urllib.request.Request(api.url + path, headers=headers)
    with urllib.request.urlopen(request, context=api._tls) as answer:
        shown = json.load(answer)
    return dict(zip((c["name"] for c in shown["columnDefinitions"]), shown["rows"][0]["cells"], strict=True))


def test_kubectl_get_shows_what_a_credential_is_for(api: ApiServer) -> None:
    (kind,) = (kind for kind in KINDS if kind.kind == Kind.CLAUDE_CREDENTIAL)
    expected = [
        *(("anthropic", "anthropic"), ("hosted_vllm", "vllm"), ("us-east-1", "aws"), ("my-project-123", "google")),
        *(("fdrl_01AbCdEf", ""), ("alice@example.com", "")),
    ]
    for example, shown in zip(kind.examples, expected, strict=True):
        api.apply(f"{collection(kind.kind)}/for", {**example, "metadata": {"name": "for"}})
        rows = table(api, f"{collection(kind.kind)}/for")
        assert (rows["For"], rows["Secret"] or "") == shown
        api.delete(f"{collection(kind.kind)}/for")
