"""``python -m tools.release.trial COMMAND...``: publish this tree to a registry on this machine, then run a command.

The release is made like a real one, for this machine's platform alone and signed with a key made for the trial. It is
kept in ``.artifacts/trial`` for the same commit. The command finds ``REGISTRY`` and ``SIGNER`` in its environment, as
docs/how-to/verifying-a-release.md names them.
"""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tools.release import place, signing

FOLDER: Final = place.ROOT / ".artifacts" / "trial"
PORT: Final = int(os.environ.get("TRIAL_PORT", "5005"))
REGISTRY: Final = f"127.0.0.1:{PORT}"
DIGESTS: Final = FOLDER / "digests.json"
_MACHINES: Final = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
_PATIENCE: Final = 60


@contextmanager
def registry() -> Iterator[None]:
    """Run a registry that keeps its content in the trial's folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = FOLDER / "registry"
    config = FOLDER / "registry.json"
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(content)}},
        "http": {"addr": REGISTRY},
        "log": {"level": "error"},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    command = [str(place.ROOT / ".tools" / "registry"), "serve", str(config)]
    with (FOLDER / "registry.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process)
            yield
        finally:
            process.terminate()


def environment() -> dict[str, str]:
    """Return what a release and those who verify it need to know."""
    key = FOLDER / "cosign"
    return {
        **os.environ,
        "REGISTRY": REGISTRY,
        "PLATFORMS": _MACHINES[platform.machine()],
        "COSIGN_KEY": f"{key}.key",
        "COSIGN_PASSWORD": "",
        "SIGNER": f"--key {key}.pub --insecure-ignore-tlog --allow-http-registry",
        "VERSION": place.version(),
        "PATH": f"{place.ROOT / '.tools'}:{os.environ['PATH']}",
    }


def publish() -> None:
    """Publish images and chart of this commit, unless that was done."""
    commit = place.commit()
    if DIGESTS.exists() and json.loads(DIGESTS.read_text(encoding="utf-8"))["commit"] == commit:
        print(f"trial: {REGISTRY} has this commit")
        return
    outputs = FOLDER / "outputs"
    outputs.unlink(missing_ok=True)
    for name in ("cosign.key", "cosign.pub"):
        (FOLDER / name).unlink(missing_ok=True)
    known = {**environment(), "GITHUB_OUTPUT": str(outputs)}
    subprocess.run([str(signing.COSIGN), "generate-key-pair"], cwd=FOLDER, env=known, check=True)
    for image in place.DOCKERFILES:
        subprocess.run([sys.executable, "-m", "tools.release.image", "release", image], env=known, check=True)
    found = dict(line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines())
    digests = {image: found[image] for image in place.DOCKERFILES}
    subprocess.run([sys.executable, "-m", "tools.release.chart", *digests.values()], env=known, check=True)
    DIGESTS.write_text(json.dumps({"commit": commit, **digests}), encoding="utf-8")


def _wait(process: "subprocess.Popen[bytes]") -> None:
    for _ in range(_PATIENCE * 10):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"the registry ended with {process.returncode}; is port {PORT} free? (TRIAL_PORT)")
        time.sleep(0.1)
    raise RuntimeError("the registry does not answer")


def main() -> int:
    """Publish, then run the command."""
    if shutil.which("helm") is None:
        print("trial: helm is needed: https://helm.sh/docs/intro/install/", file=sys.stderr)
        return 1
    with registry():
        publish()
        return subprocess.run(sys.argv[1:], env=environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
