"""One API server for all tests of the level; every test has namespaces of its own."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent
from tests.support.processes.operator import namespace
from tests.support.processes.waiting import until

CRDS = Path(__file__).parents[2] / "crds"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server that knows our kinds."""
    with ApiServer(tmp_path_factory.mktemp("apiserver")) as server:
        for file in sorted(CRDS.glob("*.yaml")):
            document = yaml.safe_load(file.read_text())
            name = document["metadata"]["name"]
            server.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", document)
        for kind in ("modelroutes", "claudecredentials", "gatewayclients", "budgets"):
            until(partial(server.serves, f"/apis/claudegateway.io/v1alpha1/{kind}"), what=kind)
        yield server


@pytest.fixture
def new_namespace(api: ApiServer) -> Callable[[], str]:
    """Makes a namespace that nobody else uses."""
    return lambda: namespace(api, f"test-{next(_numbers)}")


@pytest.fixture
def home(new_namespace: Callable[[], str]) -> str:
    """The namespace of a release."""
    return new_namespace()


@pytest.fixture
def cluster(api: ApiServer, home: str) -> Cluster:
    """The namespace of the release."""
    return Cluster(api, home)


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    """The agent of every pod."""
    with FakeAgent() as running:
        yield running
