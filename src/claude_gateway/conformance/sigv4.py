"""AWS Signature Version 4 for client requests, as Claude Code signs them in Bedrock mode."""

import hashlib
import hmac
from datetime import datetime
from typing import Final
from urllib.parse import quote

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def sign(
    *, host: str, path: str, body: bytes, key_id: str, secret: str, now: datetime, region: str = "us-east-1"
) -> list[tuple[str, str]]:
    """Return the headers that sign a POST without query. ``path`` is as sent; AWS requires encoding it once more."""
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    signed = {"content-type": "application/json", "host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    canonical = f"POST\n{quote(path, safe='/~')}\n\n{lines}\n{names}\n{digest}"
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, "bedrock", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{_ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return [(name, value) for name, value in signed.items() if name != "host"] + [("authorization", credential)]
