"""Where the results of runs are kept, from which the published table is made."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "docs" / "conformance"


def results(name: str) -> Path:
    """The file of one gateway's results."""
    return RESULTS / f"{name}.json"
