"""Runs in a pod: the company's identity provider, and a port by which a test drives it.

``identity_provider.py ISSUER CERTIFICATES``. The test calls ``/sign-in?email=&groups=``, ``/confirm?url=&email=``,
``/remove?email=`` and ``/state``.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.e2e.pods import control
from tests.support.clients.oidc import Provider, serve

PORT: Final = 8443
_LIFETIME: Final = 3600


def answer(provider: Provider, path: str, query: Mapping[str, str]) -> object:
    """Return the answer to one question of the test."""
    match path:
        case "/sign-in":
            return provider.sign_in(query["email"], groups=query["groups"].split())
        case "/confirm":
            return provider.confirm(query["url"], query["email"])
        case "/remove":
            provider.removed.add(query["email"])
        case "/state":
            return list(provider.renewals)
    return {}


def main(issuer: str, certificates: str) -> None:
    """Serve until the pod ends."""
    provider = Provider(issuer, lifetime=_LIFETIME)
    with serve(provider, Path(certificates) / "tls.pem", address=("", PORT)) as (running, _):
        control.serve(partial(answer, running))


if __name__ == "__main__":
    main(*sys.argv[1:])
