"""Runs in a pod: the stand-in for Anthropic's sign-in hosts, and a port by which a test drives it.

``anthropic_hosts.py UPSTREAM CERTIFICATES``. The test calls ``/approve?link=``, ``/set?answer=&lifetime=``, ``/login``
and ``/state``.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.e2e.pods import control
from tests.support.clients.anthropic_cloud import Cloud, serve

PROXY_PORT: Final = 3128


def answer(cloud: Cloud, path: str, query: Mapping[str, str]) -> object:
    """Return the answer to one question of the test."""
    match path:
        case "/approve":
            return cloud.approve(query["link"])
        case "/set":
            cloud.answer = int(query.get("answer", cloud.answer))
            cloud.lifetime = int(query.get("lifetime", cloud.lifetime))
        case "/login":
            return cloud.login()
        case "/state":
            return {
                "issued": cloud.issued,
                "turns": cloud.turns,
                "asked": cloud.asked,
                "refreshes": sorted(cloud.refreshes),
            }
    return {}


def main(upstream: str, certificates: str) -> None:
    """Serve until the pod ends."""
    with serve(Cloud({}, upstream), Path(certificates), address=("", PROXY_PORT)) as (running, _):
        control.serve(partial(answer, running))


if __name__ == "__main__":
    main(*sys.argv[1:])
