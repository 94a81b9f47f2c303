"""The two renderings that most tests look at."""

from pathlib import Path

import pytest
import yaml
from tests.support.kube.chart import Manifest, Rendered, render

EVERYTHING = Path(__file__).with_name("everything.yaml")


@pytest.fixture(scope="session")
def default() -> Rendered:
    """With no values at all."""
    return render()


@pytest.fixture(scope="session")
def all_values() -> Manifest:
    """Values that turn on every part of the chart."""
    values: Manifest = yaml.safe_load(EVERYTHING.read_text())
    return values


@pytest.fixture(scope="session")
def everything(all_values: Manifest) -> Rendered:
    """With every part of the chart turned on."""
    return render(all_values)
