"""Audit lines of the operator about real writes: what changed, through which manager, and no value."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.builders.objects import API_KEY, CLIENT_KEY, route, secret, sound
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster, url
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until


def lines(operator: Operator) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in operator.lines().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == "audit"]


def some(operator: Operator, **fields: object) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [line for line in lines(operator) if fields.items() <= line.items()]


def test_each_change_names_its_fields_and_its_manager(api: ApiServer, home: str) -> None:
    cluster = Cluster(api, home)
    cluster.put(*sound())
    with Operator(api, home).install() as operator:
        until(lambda: cluster.routes())
        assert lines(operator) == [], "objects that existed before are not changes"
        edited = route(models=["claude-sonnet-5-5", "private-name"], displayName="x")
        edited["metadata"]["namespace"] = home
        api.apply(url("ModelRoute", home, "sonnet"), edited, manager="kubectl-edit")
        (line,) = until(some(operator, action="changed", kind="ModelRoute"))
        assert (line["object"], line["by"], line["operation"]) == (f"{home}/sonnet", "kubectl-edit", "Apply")
        assert line["fields"] == ["spec.displayName", "spec.models"]
        assert line["generation"] == 2
        assert line["at"].endswith("Z")
        cluster.put(secret(values={"api": API_KEY, "client": "cgw_another-key-0123456789"}))
        (line,) = until(some(operator, action="changed", kind="Secret"))
        assert (line["object"], line["by"]) == (f"{home}/keys", "test")
        cluster.drop("ModelRoute", "sonnet")
        until(some(operator, action="deleted", object=f"{home}/sonnet"))
        logged = json.dumps(lines(operator))
    assert not [value for value in ("private-name", API_KEY, CLIENT_KEY, "another-key") if value in logged]
