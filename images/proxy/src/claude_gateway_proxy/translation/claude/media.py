"""Images and documents of OpenAI's formats as blocks of Messages."""

import base64
import binascii
import re
from typing import Final

from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.turns import Block

_DATA: Final = re.compile(r"data:([^;,]{0,127})((?:;[^;,]{0,127}){0,8}),", re.ASCII | re.IGNORECASE)
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_NAMES: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_PDF: Final = "application/pdf"
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/x-yaml", "application/yaml")


def image(url: object, *, at: str, urls: bool) -> Block:
    """Return an image by its URL; ``urls`` whether Claude may fetch it from the web. Raises Rejected."""
    if not isinstance(url, str) or not url:
        raise Rejected(f"{at}: an image needs a URL")
    if url[:5].lower() != "data:":
        return {"type": "image", "source": _web(url, at=at, urls=urls)}
    kind, data, encoded = _split(url, at=at)
    kind = (_sniffed(data) if encoded else None) or _NAMES.get(kind, kind)
    if not encoded or kind not in _IMAGES:
        raise Rejected(f"{at}: images must be JPEG, PNG, GIF or WebP, in base64")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def document(data: object, *, url: object, name: object, at: str, urls: bool) -> Block:
    """Return a file by its data (a data URL, or base64 alone) or its ``url``. Raises Rejected."""
    title = {"title": name[:500]} if isinstance(name, str) and name.strip() else {}
    if isinstance(url, str) and url and not isinstance(data, str):
        return {"type": "document", "source": _web(url, at=at, urls=urls), **title}
    if not isinstance(data, str) or not data:
        raise Rejected(f"{at}: send the file itself as file_data; ids of files are not supported for this model")
    if data[:5].lower() == "data:":
        kind, data, encoded = _split(data, at=at)
    else:
        kind, encoded = "", True
    kind = (_sniffed(data) if encoded else None) or _NAMES.get(kind, kind)
    if kind in _IMAGES and encoded:
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}
    if kind == _PDF and encoded:
        return {"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}, **title}
    text = _text(data, at=at) if encoded and _is_text(kind, title.get("title", "")) else None
    if text is None or not text.strip():
        raise Rejected(f"{at}: files must be PDF, text or an image, in base64")
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **title}


def _web(url: str, *, at: str, urls: bool) -> Block:
    if not urls:
        raise Rejected(f"{at}: this model takes data: URLs only, send the content itself")
    if not url.lower().startswith("https://"):
        raise Rejected(f"{at}: must be an https: or a data: URL")
    return {"type": "url", "url": url}


def _split(url: str, *, at: str) -> tuple[str, str, bool]:
    """Return the type, the data and whether it is in base64."""
    match = _DATA.match(url)
    if match is None:
        raise Rejected(f"{at}: is not a data: URL")
    parameters = match[2].lower().split(";")
    data = url[match.end() :]
    if any(map(str.isspace, data[:100])) or "\n" in data:
        data = "".join(data.split())
    return match[1].strip().lower(), data, "base64" in parameters


def _sniffed(data: str) -> str | None:
    """The type by the first bytes: Claude refuses an image whose type is another than the one that is declared."""
    try:
        head = base64.b64decode(data[:24])
    except (binascii.Error, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


def _is_text(kind: str, name: str) -> bool:
    return kind.startswith(_TEXTS) or (kind in ("", "application/octet-stream") and name.endswith((".txt", ".md")))


def _text(data: str, *, at: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Rejected(f"{at}: is not text in base64") from None
