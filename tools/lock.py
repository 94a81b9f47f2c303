"""Resolve the dependencies into the hash-pinned files of ``locks/``, or check that those files agree.

``python tools/lock.py`` asks the package registry again, keeping the versions that still fit; ``--upgrade`` takes the
newest that fit. ``--check`` needs no network: it proves that the lock of the proxy image is a part of the joint lock,
and that no lock holds what may not be shipped. Standard library only, because it also runs where nothing is installed
yet.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROXY: Final = (
    "pyproject.toml",
    "libs/runtime/pyproject.toml",
    "images/proxy/pyproject.toml",
    "images/scripted-upstream/pyproject.toml",
)
CLAUDE_CODE: Final = ("pyproject.toml", "libs/runtime/pyproject.toml", "images/claude-code/pyproject.toml")
CLAUDE_AUTH: Final = ("pyproject.toml", "libs/runtime/pyproject.toml", "images/claude-auth/pyproject.toml")
OPERATOR: Final = ("pyproject.toml", "libs/runtime/pyproject.toml", "operator/pyproject.toml")
PROJECTS: Final = tuple(dict.fromkeys((*PROXY, *CLAUDE_CODE, *CLAUDE_AUTH, *OPERATOR)))
JOINT: Final = "locks/all.txt"
FORBIDDEN: Final = ("litellm-enterprise",)
"""Packages whose licence does not allow shipping or running them for free."""

_OWN: Final = ("--no-emit-package=claude-gateway", "--no-emit-package=claude-gateway-runtime")
"""Members that others require: they are built here, and no registry has them."""

_PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_HOST: Final = re.compile(r"https?://|^--(?:extra-)?index-url|^-i ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock file, what it is resolved from, and whether the joint lock constrains it."""

    path: str
    sources: tuple[str, ...]
    constrained: bool = True
    part_of_joint: bool = False


LOCKS: Final = (
    Lock(JOINT, (*PROJECTS, "--group=dev"), constrained=False),
    Lock("locks/proxy.txt", PROXY, part_of_joint=True),
    Lock("locks/claude-code.txt", CLAUDE_CODE, part_of_joint=True),
    Lock("locks/claude-auth.txt", CLAUDE_AUTH, part_of_joint=True),
    Lock("locks/operator.txt", OPERATOR, part_of_joint=True),
    Lock("locks/scripted.txt", ("images/scripted-upstream/pyproject.toml",), part_of_joint=True),
    Lock("locks/e2e-clients.txt", ("locks/e2e-clients.in", "pyproject.toml"), part_of_joint=True),
    Lock("locks/uv.txt", ("locks/uv.in",), part_of_joint=True),
    Lock("locks/peer.txt", ("locks/peer.in",)),
    Lock("locks/instructor.txt", ("locks/instructor.in",), constrained=False),
    Lock("locks/envoy.txt", ("locks/envoy.in",)),
    Lock("locks/zizmor.txt", ("locks/zizmor.in",), constrained=False),
    Lock("locks/pipx.txt", ("locks/pipx.in",), constrained=False),
    Lock("locks/aider.txt", ("locks/aider.in",), constrained=False),
    Lock("locks/agent-router.txt", ("locks/agent-router.in",), constrained=False),
    Lock("locks/litellm-proxy.txt", ("locks/litellm-proxy.in",), constrained=False),
    Lock("locks/llama-server.txt", ("locks/llama-server.in",), constrained=False),
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock: its version and the hashes of the files that may be installed."""

    version: str
    hashes: frozenset[str]


def pins(text: str) -> dict[str, Pin]:
    """Read the text of a lock: package name → pin."""
    found = list(_PIN.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return {
        match["name"].lower(): Pin(match["version"], frozenset(_HASH.findall(text, match.start(), end)))
        for match, end in zip(found, ends, strict=True)
    }


def problems(texts: dict[str, str]) -> list[str]:
    """Say what is wrong with the locks, given their texts by path; empty: nothing."""
    wrong = []
    joint = pins(texts[JOINT])
    for lock in LOCKS:
        text = texts[lock.path]
        if not text.startswith(header(lock)):
            wrong.append(f"{lock.path}: its first lines do not name the command that it is made with")
        if _HOST.search(text):
            wrong.append(f"{lock.path}: names a registry host; a lock must hold for every mirror")
        for name, pin in pins(text).items():
            if name in FORBIDDEN:
                wrong.append(f"{lock.path}: {name} may not be shipped; find what requires it and leave that out")
            if not pin.hashes:
                wrong.append(f"{lock.path}: {name} has no hash")
            if lock.part_of_joint and name not in joint:
                wrong.append(f"{lock.path}: {name} is not in {JOINT}")
            elif lock.part_of_joint and joint[name] != pin:
                wrong.append(f"{lock.path}: {name} has another version or other hashes than in {JOINT}")
    return wrong


def check() -> int:
    """Print what is wrong with the files; return the exit status."""
    absent = [lock.path for lock in LOCKS if not (ROOT / lock.path).is_file()]
    wrong = [f"{path}: is missing" for path in absent]
    wrong += [] if absent else problems({lock.path: (ROOT / lock.path).read_text() for lock in LOCKS})
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print("run: make lock", file=sys.stderr)
    return 1 if wrong else 0


def command(lock: Lock) -> list[str]:
    """Return the command that resolves a lock, in the form that a lock's header has and Renovate reads."""
    fixed = ("--universal", "--generate-hashes", "--python-version=3.11")
    constraint = (f"--constraints={JOINT}",) if lock.constrained else ()
    return ["uv", "pip", "compile", *fixed, *lock.sources, *constraint, *_OWN, f"--output-file={lock.path}"]


def header(lock: Lock) -> str:
    """Return the first lines of a lock, as uv writes them."""
    return f"# This file was autogenerated by uv via the following command:\n#    {' '.join(command(lock))}\n"


def resolve(lock: Lock, *, upgrade: bool) -> None:
    """Write one lock with ``uv pip compile``. Raises CalledProcessError if the requirements cannot be solved."""
    print(f"resolving {lock.path}")
    uv, *arguments = command(lock)
    program = str(Path(sys.executable).parent / uv)
    subprocess.run([program, *arguments, "--quiet", *(("--upgrade",) if upgrade else ())], cwd=ROOT, check=True)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Resolve the dependencies into locks/, or check those files.")
    parser.add_argument("--check", action="store_true", help="only check, offline; exit 1 if something is wrong")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    arguments = parser.parse_args()
    if not arguments.check:
        for lock in LOCKS:
            resolve(lock, upgrade=arguments.upgrade)
    return check()


if __name__ == "__main__":
    sys.exit(main())
