"""Web pages and errors that come with a status of success."""

import re
from typing import Final

from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.lanes.whole import Whole
from claude_gateway_proxy.translation.decoding import decode
from claude_gateway_proxy.translation.reports import document_of, reported

_HEAD: Final = 256
"""Bytes in which an answer shows what it is."""

_ERROR: Final = re.compile(rb'(?:\[\s*+)?\{\s*+(?:"error"\s*+:\s*+[{"]|"type"\s*+:\s*+"error")')
"""How an error of a vendor begins; no answer begins like this."""


def is_page(head: bytes) -> bool:
    """Return whether an answer is a web page, such as that of a login; no format's answers begin like one."""
    return head[:_HEAD].lstrip()[:1] == b"<"


def may_be_error(head: bytes) -> bool:
    """Return whether an answer begins like an error."""
    return _ERROR.match(head[:_HEAD].lstrip()) is not None


def restated(response: Response, body: bytes) -> Response | None:
    """Return an error as an answer with the status that the error stands for; None if ``body`` is none."""
    document = document_of(decode(body))
    error = None if document is None else reported(document)
    return None if error is None else Whole(body, status=error.status, headers=response.headers)
