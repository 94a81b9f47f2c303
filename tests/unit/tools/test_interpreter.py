"""Which Python `make setup` takes."""

import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = Path(__file__).resolve().parents[3] / "make" / "python.sh"


def _chosen(*, path: str, system: str) -> str:
    environment = {**os.environ, "PATH": path, "SYSTEM_PYTHON": system}
    done = subprocess.run(["/bin/sh", str(_SCRIPT)], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_it_is_python3_unless_the_system_has_a_faster_one(tmp_path: Path) -> None:
    assert _chosen(path=os.environ["PATH"], system="/nonexistent") == "python3"
    assert _chosen(path=str(tmp_path), system="/nonexistent") == "python3"


def test_it_is_the_systems_where_no_other_will_do(tmp_path: Path) -> None:
    assert _chosen(path=str(tmp_path), system=sys.executable) == sys.executable
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert _chosen(path=str(tmp_path), system=sys.executable) == sys.executable
