"""The last release, installed and in use (``make e2e-upgrade`` names its tree and builds its images)."""

import os

import pytest
from tests.e2e.conftest import kube, pytest_runtest_makereport
from tests.e2e.release import Gateway, Release
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Kube

__all__ = ["kube", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def older(kube: Kube) -> Gateway:
    """The chart and the images of the release in ``E2E_OLDER``, with credentials, routes and a client."""
    tree = os.environ.get("E2E_OLDER")
    assert tree, "E2E_OLDER names no tree: make e2e-upgrade"
    kubecluster.load(kubecluster.RELEASED, built=kubecluster.OLDER)
    kube.apply(*kubepods.upstream())
    chart = f"{tree}/charts/claude-gateway"
    release = Release(kube, name="cg", namespace="gateway", chart=chart, built=kubecluster.OLDER)
    release.install()
    kube.rolled("scripted", namespace=kubepods.UPSTREAM)
    return Gateway.furnish(release, client="alice")
