"""Reads from a cluster with ``kubectl`` and the user's own rights; the CLI holds no credentials of its own."""

import base64
import json
import shutil
import subprocess
import zlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from pydantic import ValidationError

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.terminal import printable
from claude_gateway.contract.bundle import UNPACKED_LIMIT
from claude_gateway.contract.report import Overview
from claude_gateway.names import GATEWAY_JSON

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS: Final = 60.0
_BUNDLE: Final = "-bundle"
_RUNNING: Final = ("--field-selector", "status.phase=Running")


def options(command: F) -> F:
    """``--context``, ``--namespace``, ``--release``: which release in which cluster."""
    for option in (
        click.option("--release", metavar="NAME", help="Full name of the release, such as cg-claude-gateway."),
        click.option("-n", "--namespace", metavar="NAME", help="Namespace of the release. Default: the context's."),
        click.option("--context", metavar="NAME", help="Context of your kubeconfig: ask a cluster, with kubectl."),
    ):
        command = option(command)
    return command


def policy(*, context: str, namespace: str | None, release: str | None) -> str:
    """Return the ``gateway.json`` that is live in a cluster, from its ConfigMap. Raises Trouble.

    It holds no secret: the right to read ConfigMaps in the release's namespace is enough.
    """
    name = f"{_release(release, context=context, namespace=namespace)}{_BUNDLE}"
    found = kubectl("get", "configmap", name, "-o", "json", context=context, namespace=namespace)
    try:
        manifest = json.loads(found)
        return _entry(manifest)
    except (ValueError, KeyError, TypeError, OSError, EOFError, zlib.error):
        raise Trouble(f"ConfigMap {name} holds no configuration", fix="Check --release and --namespace.") from None


def overviews(module: str, *, context: str, namespace: str | None, release: str | None) -> dict[str, Overview]:
    """Return what the gateway of each pod of a release does, by pod. Raises Trouble if none answers.

    A pod's socket is reachable only from inside, so ``module`` is run there. That needs the right to create
    ``pods/exec``, which is the right to do anything that the pod may: nobody gets more than they had.
    """
    name = _release(release, context=context, namespace=namespace)
    deployment = kubectl("get", "deployment", f"{name}-proxy", "-o", "json", context=context, namespace=namespace)
    labels = json.loads(deployment)["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{label}={value}" for label, value in labels.items())
    listed = kubectl("get", "pods", "-l", selector, *_RUNNING, "-o", "name", context=context, namespace=namespace)
    found: dict[str, Overview] = {}
    trouble: Trouble | None = None
    for pod in listed.decode().split():
        command = ("exec", pod, "-c", "gateway", "--", "python", "-m", module)
        try:
            answer = kubectl(*command, context=context, namespace=namespace)
            found[pod.partition("/")[2]] = Overview.model_validate_json(answer)
        except Trouble as error:
            # One pod may be on its way out; the others are still shown.
            trouble = error
        except ValidationError:
            continue
    if not found and trouble is not None:
        raise trouble
    if not found:
        raise Trouble(f"no pod of {name} answers", fix="Check --namespace and --release, and that its pods run.")
    return found


def kubectl(*arguments: str, context: str, namespace: str | None) -> bytes:
    """Run ``kubectl`` and return what it prints. Raises Trouble with its last line."""
    program = shutil.which("kubectl")
    if program is None:
        raise Trouble("kubectl is not installed", fix="Install kubectl, or use -f with the YAML files.")
    where = ["--context", context, *(["-n", namespace] if namespace else [])]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and a program by its path
            [program, *where, *arguments], capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        fix = "Check that the cluster can be reached: kubectl version."
        raise Trouble(f"kubectl did not end within {_SECONDS:g} s", fix=fix) from None
    except OSError as error:
        fix = "Install kubectl again, or use -f with the YAML files."
        raise Trouble(f"{program} cannot be started: {error.strerror}", fix=fix) from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Trouble(f"kubectl: {printable(said)}", fix="Check --context, --namespace and --release, and your rights.")
    return done.stdout


def _release(release: str | None, *, context: str, namespace: str | None) -> str:
    """Return the full name of the release; the only one in the namespace if none is named."""
    if release is not None:
        return release
    listed = kubectl("get", "configmaps", "-o", "name", context=context, namespace=namespace).decode().split()
    names = [name.partition("/")[2].removesuffix(_BUNDLE) for name in listed if name.endswith(_BUNDLE)]
    if len(names) == 1:
        return names[0]
    where = f"namespace {namespace}" if namespace else "the context's namespace"
    fix = f"Choose one with --release: {', '.join(names)}." if names else "Set --namespace to that of the release."
    raise Trouble(f"{len(names)} releases in {where}", fix=fix)


def _entry(manifest: dict[str, Any]) -> str:
    """Return ``gateway.json`` from a ConfigMap, packed or not, bounded in size."""
    text, packed = manifest.get("data") or {}, manifest.get("binaryData") or {}
    if GATEWAY_JSON in text:
        return str(text[GATEWAY_JSON])
    if GATEWAY_JSON in packed:
        return base64.b64decode(packed[GATEWAY_JSON]).decode()
    raw = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(
        base64.b64decode(packed[f"{GATEWAY_JSON}.gz"]), UNPACKED_LIMIT
    )
    return raw.decode()
