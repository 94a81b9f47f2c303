"""The packages of a release, installed with the commands of the docs: they serve a prompt."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.install.conftest import commands, typed
from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until
from tools.release import place


def answers(program: Path, *, folder: Path, home: Path) -> None:
    """Serve the quickstart with an installed ``claude-gateway``, and ask it something."""
    listen, scripted = free_port(), free_port()
    example = (place.ROOT / "examples" / "quickstart" / "scripted" / "gateway.yaml").read_text()
    (folder / "gateway").mkdir()
    (folder / "gateway" / "gateway.yaml").write_text(example.replace(":4001", f":{scripted}"))
    typed(f"{program} key new me -o gateway/me.yaml && {program} lint -f gateway", folder=folder, home=home)
    serve = f"{program} serve -f gateway --listen 127.0.0.1:{listen} --scripted-model 127.0.0.1:{scripted}"
    with Process(["bash", "-c", f"cd {folder} && exec {serve}"], environment={"HOME": str(home)}) as process:
        until(lambda: " ready: " in process.output or process.returncode is not None, timeout=120, what="serve")
        assert process.returncode is None, process.output
        ask = (
            f'eval "$({program} env -f gateway --url http://127.0.0.1:{listen})"; '
            'curl -fsS "$ANTHROPIC_BASE_URL/v1/messages" -H "authorization: Bearer $ANTHROPIC_AUTH_TOKEN" '
            "-H 'content-type: application/json' -d "
            '\'{"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}\''
        )
        assert "You said: Hello" in typed(ask, folder=folder, home=home)


def test_pip_installs_what_the_requirements_pin(release: Path, home: Path) -> None:
    said = typed(commands("packages"), folder=release, home=home)
    assert place.version() in said.splitlines()[-1]
    answers(home / ".local/share/claude-gateway/bin/claude-gateway", folder=release, home=home)


def test_pipx_installs_the_same(release: Path, home: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
    pip = [
        str(tools / "bin" / "pip"),
        "install",
        "-q",
        "--require-hashes",
        "-r",
        str(place.ROOT / "locks" / "pipx.txt"),
    ]
    subprocess.run(pip, check=True)
    path = f"{tools / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    typed(
        commands("pipx"), folder=release, home=home, environment={"PATH": path, "PIPX_DEFAULT_PYTHON": sys.executable}
    )
    answers(home / ".local/bin/claude-gateway", folder=release, home=home)


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
