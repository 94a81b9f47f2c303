"""What LiteLLM finds in its environment: settings of ours that keep it quiet and offline, and nothing of anybody's.

LiteLLM reads provider keys, organisations and addresses from dozens of variables wherever a target leaves one open.
On a laptop that would send ``OPENAI_API_KEY`` to whatever server a keyless target names, so they are removed. Those
that lead to the pod's own identity in a cloud stay: no target reads them but one whose credential says so.
"""

from collections.abc import Mapping, MutableMapping
from typing import Final

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
"""What is set before LiteLLM is imported."""

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
    """Remove every variable that this process has no use for, then set LiteLLM's own."""
    for name in [name for name in environ if not _is_kept(name)]:
        del environ[name]
    environ.update(LITELLM)
