"""Write one file with the public certificate authorities and the private ones, for SSL_CERT_FILE."""

import os
from pathlib import Path

import certifi

private = Path(os.environ["PRIVATE"]).read_text(encoding="utf-8")
if "-----BEGIN CERTIFICATE-----" not in private:
    raise SystemExit(f"{os.environ['PRIVATE']} holds no PEM certificate")
public = Path(certifi.where()).read_text(encoding="utf-8")
Path(os.environ["BUNDLE"]).write_text(f"{public.rstrip()}\n{private}", encoding="utf-8")
