"""AWS's check of a signed request (Signature Version 4), for one known pair of keys."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, *"
    r"SignedHeaders=([^,]+), *Signature=(\w+)"
)


def fits(
    keys: Mapping[str, str], *, method: str, path: str, query: str, headers: Sequence[tuple[str, str]], body: bytes
) -> bool:
    """Return whether a request is signed with one of ``keys`` (secret by id); ``path`` is as it was sent."""
    found = {name.lower(): value for name, value in headers}
    match = _AUTHORIZATION.fullmatch(found.get("authorization", ""))
    if match is None or match[1] not in keys:
        return False
    _, date, region, service, names, signature = match.groups()
    lines = [f"{name}:{' '.join(found.get(name, '').split())}\n" for name in names.split(";")]
    digest = hashlib.sha256(body).hexdigest()
    # Every service but S3 encodes the path once more.
    canonical = "\n".join((method, quote(path, safe="/~"), _sorted(query), "".join(lines), names, digest))
    scope = f"{date}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{found.get('x-amz-date', '')}\n{scope}\n{hashed}"
    key = b"AWS4" + keys[match[1]].encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature)


def _sorted(query: str) -> str:
    return "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part))
