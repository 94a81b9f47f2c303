"""LiteLLM's environment: our settings, which keep it quiet and offline, and nothing else.

LiteLLM reads provider keys, organisations and addresses from dozens of variables wherever a target leaves one open.
On a laptop that would send ``OPENAI_API_KEY`` to whatever server a keyless target names, so they are removed. Those
that lead to the pod's own identity in a cloud stay: no target reads them but one whose credential says so.
"""

import urllib.request
from collections.abc import Mapping, MutableMapping
from typing import Final

from claude_gateway.contract.nearby import BYPASS_VARIABLES, PROXY_VARIABLES, is_near, with_bypass
from claude_gateway.names import CLOUD_VARIABLES

LITELLM: Final[Mapping[str, str]] = {
    # Production mode reads no .env file.
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    # Each of these would fetch a file from the internet at import or at a first request.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "HF_HUB_OFFLINE": "1",
    # A client's image URL is for the provider to fetch, not for this process.
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",
}
"""The variables that are set before LiteLLM is imported."""

_NO_PROXY: Final = (
    *("localhost", "127.0.0.1", "::1"),
    # Where clouds hand out the identity of a machine or a pod.
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23", "metadata.google.internal"),
)

_KEPT: Final = frozenset(
    (
        *("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    )
)
_KEPT_PREFIXES: Final = ("CLAUDE_GATEWAY_", "PYTHON", "MALLOC_", "LD_")


def _is_kept(name: str) -> bool:
    return name in _KEPT or name in CLOUD_VARIABLES or name.startswith(_KEPT_PREFIXES)


def reduce(environ: MutableMapping[str, str]) -> None:
    """Remove every variable that this process does not use, then set LiteLLM's own.

    With an HTTP proxy, libraries that only read ``NO_PROXY`` do not use it for this machine and its cloud identity.
    """
    for name in [name for name in environ if not _is_kept(name)]:
        del environ[name]
    environ.update(LITELLM)
    if any(environ.get(name) for name in PROXY_VARIABLES):
        present = next((environ[name] for name in BYPASS_VARIABLES if environ.get(name)), "")
        environ.update(dict.fromkeys(BYPASS_VARIABLES, with_bypass(present, _NO_PROXY)))


def reach_near_hosts_directly() -> None:
    """Keep LiteLLM from using a proxy for local hosts, as in the relay lane; cannot be undone.

    LiteLLM calls this function of the standard library for each new host. ``NO_PROXY`` has no form for private networks
    that all of Python's clients understand.
    """
    bypasses = urllib.request.proxy_bypass

    def bypasses_or_near(host: str, proxies: Mapping[str, str] | None = None) -> bool:
        return is_near(host) or bool(bypasses(host, proxies))

    urllib.request.proxy_bypass = bypasses_or_near
