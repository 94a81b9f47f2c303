"""Keeps LiteLLM from downloading anything for a client: only the provider may fetch what a client names by address.

For providers that accept no addresses, LiteLLM downloads images, documents, audio and video itself, and resolves their
hosts. So a client could make the gateway call any address. The functions for this are replaced by ones that refuse, so
that no list of providers, formats and parts has to be complete.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from claude_gateway_proxy.litellm.guard import dialled

REFUSAL: Final = (
    "an image, document, audio or video was sent by its address, which this model's provider does not fetch: "
    "send the content itself, as base64 or as a data: URL"
)


class DownloadRefused(Exception):  # noqa: N818 - a verdict on an address
    """LiteLLM was about to fetch something that a client named."""

    status_code = 400
    """LiteLLM takes an exception's status from here."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__(REFUSAL)


def install() -> None:
    """Forbid LiteLLM every download; needs its import to be done, and cannot be undone."""
    from litellm.litellm_core_utils import url_utils
    from litellm.llms.custom_httpx import http_handler

    # All of LiteLLM's downloads ask this first, by its module's name; it looks the host up.
    url_utils.validate_url = _refuse
    for handler in (http_handler.HTTPHandler, http_handler.AsyncHTTPHandler):
        handler.get = _only_at_target(handler.get)  # type: ignore[method-assign]


def _refuse(*_: Any, **__: Any) -> Any:
    raise DownloadRefused


def _only_at_target(get: Any) -> Any:
    """Allow GET requests only to the host of the request's own target.

    A chat completion of LiteLLM is a POST; any other GET would come from a client's field or a model's name.
    """

    def checked(self: Any, url: str, *arguments: Any, **keywords: Any) -> Any:
        target = dialled.get()
        if target is None or urlsplit(str(url)).hostname != target.host:
            raise DownloadRefused
        return get(self, url, *arguments, **keywords)

    return checked
