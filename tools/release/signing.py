"""Signatures and attestations with cosign, and what a workflow's later steps read.

Without settings cosign signs with the identity of the workflow that runs it (keyless). ``COSIGN_KEY`` names a key
instead, for a trial without the public signing service; ``COSIGN_PASSWORD`` opens it.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.release import place

COSIGN: Final = place.ROOT / ".tools" / "cosign"


def sign(reference: str) -> None:
    """Sign an image or a chart in a registry, named by digest."""
    _cosign("sign", reference)


def attest(reference: str, *, bill: Path) -> None:
    """Attach a signed bill of materials (CycloneDX) to an image in a registry, named by digest."""
    _cosign("attest", "--type", "cyclonedx", "--predicate", str(bill), reference)


def output(values: Mapping[str, str]) -> None:
    """Write the outputs of a workflow's step; elsewhere, print them."""
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as outputs:
            outputs.write(text)
    print(text, end="", flush=True)


def _cosign(action: str, *arguments: str) -> None:
    key = os.environ.get("COSIGN_KEY")
    how = ("--key", key, "--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry") if key else ()
    subprocess.run([str(COSIGN), action, "--yes", *how, *arguments], check=True)
