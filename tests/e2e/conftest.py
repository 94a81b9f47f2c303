"""One cluster, one release and one set of objects for the whole session; what failed is dumped."""

import os
import shutil
from collections.abc import Generator, Iterator

import pytest
from tests.e2e.release import Gateway, Release
from tests.support.kube import dump as kubedump
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import ARTIFACTS, Kube

_started: list[Kube] = []


@pytest.fixture(scope="session")
def kube() -> Iterator[Kube]:
    """The suite's own cluster, with nothing in it; deleted afterwards unless ``E2E_KEEP`` is set."""
    wrong = kubecluster.missing()
    assert not wrong, "\n".join(wrong)
    keep = bool(os.environ.get("E2E_KEEP"))
    shutil.rmtree(ARTIFACTS / "failed", ignore_errors=True)
    cluster = kubecluster.up(reuse=keep)
    kubecluster.sweep(cluster)
    _started.append(cluster)
    yield cluster
    if not keep:
        kubecluster.down()


@pytest.fixture(scope="session")
def release(kube: Kube) -> Release:
    """The chart, installed with nothing but its images named, in a namespace that enforces restricted pod security."""
    kube.apply(*kubepods.upstream())
    installed = Release(kube, name="cg", namespace="gateway")
    installed.install()
    kube.rolled("scripted", namespace=kubepods.UPSTREAM)
    return installed


@pytest.fixture(scope="session")
def gateway(release: Release) -> Gateway:
    """The release with credentials, routes and a client applied, all of it live, and a client pod."""
    return Gateway.furnish(release, client="alice")


@pytest.fixture
def upstream(gateway: Gateway) -> kubepods.Upstream:
    """The scripted upstream with an empty journal."""
    scripted = kubepods.Upstream(gateway.kube)
    scripted.forget()
    return scripted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Dump objects, events and logs when a test or its setup fails."""
    report = yield
    if report.failed and _started:
        folder = ARTIFACTS / "failed" / item.name.replace("/", "-")
        kubedump.dump(_started[0], folder)
        report.sections.append(("e2e", f"objects, events and logs are in {folder}"))
    return report
