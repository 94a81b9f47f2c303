"""``make newest``: the newest LiteLLM and clients against the tests, and a report of what changed.

``pin`` moves the pins of this tree to the newest releases, ``test`` runs the conformance suite, the client tests and
the sessions of the compatibility page, and writes the report, ``publish`` opens an issue and a pull request with it.
``publish`` runs with rights on the repository: it uses the standard library alone, runs nothing that ``pin`` installed,
and takes only changes to pins and pages out of the report.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".artifacts" / "newest"
CLIENTS: Final = ("claude-code-newest", "codex", "opencode", "vercel-ai")
KINDS: Final = ("dependencies", "optionalDependencies")
LOCKS: Final = ("locks/all.txt", "locks/proxy.txt")
LITELLM: Final = "litellm"
CHANGED: Final = ("tests/clients/*", "locks/*", "docs/*")
"""What the pull request may change: pins, and pages with results."""

TESTS: Final = {
    "Conformance suite": ("-m", "tests.peers", "claude-gateway"),
    "Real clients": ("-m", "pytest", "-q", "-n", "2", "tests/contract/clients"),
    "Sessions of agents": ("-m", "tests.agents", "claude-code-newest", "codex", "opencode"),
    "Claude Code as a backend": ("-m", "pytest", "-q", "tests/contract/claude_code"),
}
BRANCH: Final = "newest"
LABEL: Final = "newest"
_LITELLM: Final = re.compile(r"^litellm==(\S+)", re.MULTILINE)


def versions(root: Path) -> dict[str, str]:
    """Return what the pins of a tree name: package → version."""
    found: dict[str, str] = {}
    for client in CLIENTS:
        package = json.loads((root / "tests" / "clients" / client / "package.json").read_text(encoding="utf-8"))
        for kind in KINDS:
            found |= package.get(kind, {})
    pin = _LITELLM.search((root / LOCKS[0]).read_text(encoding="utf-8"))
    return dict(sorted({**found, LITELLM: pin[1] if pin else "none"}.items()))


def report(before: Mapping[str, str], after: Mapping[str, str], results: Mapping[str, str]) -> str:
    """Return the text of the issue; ``results`` is the end of each test's output, empty where it passed."""
    moved = [
        (name, before.get(name, "none"), version) for name, version in after.items() if before.get(name) != version
    ]
    lines = ["| Package | Pinned | Newest |", "| -- | -- | -- |", *(f"| {a} | {b} | {c} |" for a, b, c in moved)]
    table = lines if moved else ["Nothing is newer than the pins."]
    tests = [f"- {name}: {'**failed**' if said else 'passed'}" for name, said in results.items()]
    failed = [f"### {name}\n\n```text\n{_fenced(said)}\n```" for name, said in results.items() if said]
    return "\n".join([*table, "", *tests]) + "\n" + "".join(f"\n{text}\n" for text in failed)


def title(before: Mapping[str, str], after: Mapping[str, str], results: Mapping[str, str]) -> str:
    """Return the title of the issue; empty if there is nothing to say."""
    moved = [name for name, version in after.items() if before.get(name) != version]
    failed = any(results.values())
    if not moved and not failed:
        return ""
    what = f"newer {', '.join(moved)}" if moved else "the pinned versions"
    return f"Tests {'fail' if failed else 'pass'} with {what}"


def pin() -> int:
    """Move the pins, and keep what they were."""
    before = versions(ROOT)
    for client in CLIENTS:
        folder = ROOT / "tests" / "clients" / client
        file = folder / "package.json"
        package = json.loads(file.read_text(encoding="utf-8"))
        for kind in KINDS:
            for name in package.get(kind, {}):
                package[kind][name] = _run(["npm", "view", name, "version"], folder).strip()
        file.write_text(json.dumps(package, indent=2) + "\n", encoding="utf-8")
        _run(["npm", "install", "--package-lock-only", "--silent"], folder)
    _run([sys.executable, "tools/lock.py", "--upgrade"], ROOT)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "before.json").write_text(json.dumps(before), encoding="utf-8")
    print(report(before, versions(ROOT), {}))
    return 0


def test() -> int:
    """Run the tests, write the report and the difference of the pins; return 1 if a test failed."""
    before = json.loads((FOLDER / "before.json").read_text(encoding="utf-8"))
    results = {}
    for name, arguments in TESTS.items():
        print(f"newest: {name}", flush=True)
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        results[name] = "" if done.returncode == 0 else (done.stdout + done.stderr)[-4000:] or "no output"
    _run([sys.executable, "-m", "tools.generate"], ROOT)
    after = versions(ROOT)
    (FOLDER / "title.txt").write_text(title(before, after, results), encoding="utf-8")
    (FOLDER / "report.md").write_text(report(before, after, results), encoding="utf-8")
    (FOLDER / "pins.diff").write_text(_run(["git", "diff", "--", *CHANGED], ROOT), encoding="utf-8")
    print((FOLDER / "report.md").read_text(encoding="utf-8"))
    return int(any(results.values()))


def publish() -> int:
    """Open the issue, and the pull request with the pins. Nothing happens if there is nothing to say."""
    subject = (FOLDER / "title.txt").read_text(encoding="utf-8")
    if not subject:
        print("newest: nothing changed")
        return 0
    body = str(FOLDER / "report.md")
    _run(["gh", "label", "create", LABEL, "--force", "--description", "Reports of the weekly workflow"], ROOT)
    say("issue", subject, body, "--label", LABEL)
    if (FOLDER / "pins.diff").stat().st_size:
        only = [f"--include={pattern}" for pattern in CHANGED]
        _run(["git", "apply", "--index", *only, str(FOLDER / "pins.diff")], ROOT)
        author = ("-c", "user.name=weekly", "-c", "user.email=weekly@users.noreply.github.com")
        _run(["git", *author, "commit", "-q", "-m", "Take the newest LiteLLM and clients"], ROOT)
        _run(["gh", "auth", "setup-git"], ROOT)
        _run(["git", "push", "--force", "origin", f"HEAD:refs/heads/{BRANCH}"], ROOT)
        say("pr", subject, body, "--head", BRANCH)
    return 0


def say(kind: str, subject: str, body: str, *which: str) -> None:
    """Open an issue or a pull request, or write this week's report into the one that is still open."""
    listed = _run(["gh", kind, "list", "--state", "open", *which, "--json", "number"], ROOT)
    text = ("--title", subject, "--body-file", body)
    if found := json.loads(listed):
        _run(["gh", kind, "edit", str(found[0]["number"]), *text], ROOT)
    else:
        _run(["gh", kind, "create", *which, *text], ROOT)


def _fenced(text: str) -> str:
    """Return output that cannot end the block it is shown in."""
    return text.strip().replace("```", "\u02cb\u02cb\u02cb")


def _run(command: Iterable[str], folder: Path) -> str:
    done = subprocess.run([*command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Meet the newest LiteLLM and clients.")
    parser.add_argument("action", choices=("pin", "test", "publish"))
    return {"pin": pin, "test": test, "publish": publish}[parser.parse_args().action]()


if __name__ == "__main__":
    sys.exit(main())
