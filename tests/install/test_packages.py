"""The packages of a release, installed in an empty container with the commands of the docs: they serve a prompt."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.install.conftest import commands, typed
from tools.release import place

BASE: Final = place.base_image().partition("@")[0]
PATIENCE: Final = 1200
PIPX: Final = "python3 -m venv /tmp/pipx && /tmp/pipx/bin/pip install -q --require-hashes -r /home/someone/pipx.txt\n"
DOCKERFILE: Final = f"""\
FROM {BASE}
RUN useradd --create-home someone
USER someone
ENV LANG=C.UTF-8 VERSION={place.version()}
COPY --chown=someone pipx.txt install.sh gateway.yaml ask.py /home/someone/
WORKDIR /home/someone/claude-gateway
COPY --chown=someone dist ./
ENV PATH=/home/someone/.local/share/claude-gateway/bin:/home/someone/.local/bin:/tmp/pipx/bin:$PATH
RUN bash -euo pipefail /home/someone/install.sh
WORKDIR /home/someone
"""
SERVE: Final = """\
mkdir gateway && cp gateway.yaml gateway/
claude-gateway key new me -o gateway/me.yaml
claude-gateway lint -f gateway
claude-gateway serve -f gateway --scripted-model 127.0.0.1:4001 > serve.log 2>&1 &
until grep -q " ready: " serve.log; do kill -0 $! || { cat serve.log; exit 1; }; sleep 0.2; done
eval "$(claude-gateway env -f gateway)"
python3 ask.py
"""
ASK: Final = """\
import json, os, urllib.request
asked = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
headers = {"authorization": f"Bearer {os.environ['ANTHROPIC_AUTH_TOKEN']}", "content-type": "application/json"}
url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
print(urllib.request.urlopen(urllib.request.Request(url, json.dumps(asked).encode(), headers)).read().decode())
"""


def docker(*arguments: str) -> str:
    """Run docker and return what it prints."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"docker {arguments[0]} exited with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture
def tag() -> Iterator[str]:
    """The name of an image that is removed afterwards."""
    name = f"claude-gateway/installed:{uuid.uuid4().hex[:12]}"
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


@pytest.mark.parametrize(("name", "before"), [("packages", ""), ("pipx", PIPX)])
def test_packages_install_in_an_empty_container_and_serve(
    release: Path, tmp_path: Path, tag: str, name: str, before: str
) -> None:
    context = tmp_path / "context"
    shutil.copytree(release, context / "dist")
    shutil.copy(place.ROOT / "locks" / "pipx.txt", context)
    shutil.copy(place.ROOT / "examples" / "quickstart" / "scripted" / "gateway.yaml", context)
    files = {"Dockerfile": DOCKERFILE, "install.sh": before + commands(name), "ask.py": ASK}
    for file, text in files.items():
        (context / file).write_text(text)
    docker("build", "-t", tag, str(context))
    run = ("run", "--rm", "--network", "none", tag)
    assert place.version() in docker(*run, "claude-gateway", "--version")
    assert "You said: Hello" in docker(*run, "bash", "-euo", "pipefail", "-c", SERVE)


@pytest.mark.parametrize("name", ["claude_gateway", "claude_gateway_proxy"])
def test_a_changed_package_is_not_installed(release: Path, home: Path, name: str) -> None:
    wheel = next(release.glob(f"{name}-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\n")
    with pytest.raises(AssertionError, match="FAILED"):
        typed(commands("packages"), folder=release, home=home)
    pinned = next(release.glob("*-requirements.txt")).read_text()
    own = pinned[pinned.index("./") :]
    (release / "own.txt").write_text(own)
    with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
        typed("python3 -m venv v && v/bin/pip install --no-deps --require-hashes -r own.txt", folder=release, home=home)
