"""The conformance suite as a Job that calls the Service: in full, so that no check is left out."""

import secrets
from typing import Final

from tests.e2e.release import PINGS, Gateway
from tests.support.kube import pods as kubepods
from tests.support.processes import command
from tests.support.processes.gateway import documents

from claude_gateway.conformance.checks import CHECKS
from claude_gateway.conformance.manifests import NAME as CONFORMANCE

PATIENCE: Final = 600.0


def test_the_contract_holds_through_the_service(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    place, kube = gateway.release.namespace, gateway.kube
    key = f"cgw_e2e-{secrets.token_urlsafe(30)}"
    printed = command.call("conformance", "--print-config", "--upstream", kubepods.UPSTREAM_TLS_URL)
    assert printed.code == 0, printed
    objects = documents(printed.stdout.replace("$CLAUDE_GATEWAY_KEY", key))
    gateway.secrets.append(key)
    kube.apply(*objects, namespace=place)
    names = [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in objects]
    gateway.wait_live(*(name for name in names if not name.startswith("secret/")))
    asked = ("--url", gateway.release.url, "--upstream", kubepods.UPSTREAM_URL)
    kube.apply(*kubepods.job(CONFORMANCE, "conformance", *asked, "--silence", str(4 * PINGS), key=key))
    try:
        kube.until_ended(CONFORMANCE, namespace=kubepods.CLIENTS, timeout=PATIENCE)
        said = kube.kubectl("logs", f"job/{CONFORMANCE}", "-n", kubepods.CLIENTS)
    finally:
        kube.kubectl("delete", *names, "-n", place)
        kube.kubectl("delete", f"job/{CONFORMANCE}", f"secret/{CONFORMANCE}", "-n", kubepods.CLIENTS)
    verdicts = [line.split()[0] for line in said.splitlines() if line[:4] in ("PASS", "FAIL", "N/A ")]
    assert verdicts == ["PASS"] * len(CHECKS), said
