"""The gateway's settings about certificates: its own for HTTPS, and those of clients."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from claude_gateway_proxy.gateway.auth.proxies import HEADERS, CertificateHeader, checked_network
from claude_gateway_runtime.settings import Address

Network = Annotated[str, AfterValidator(checked_network)]


class CertificateSettings(BaseSettings):
    """The settings of HTTPS and of client certificates; they hold together."""

    tls_listen: Address = Field(
        default="0.0.0.0:4443", description="`host:port` that serves HTTPS; only used when there is a certificate."
    )
    tls_cert_file: Path | None = Field(
        default=None, description="PEM file with the certificate chain; read again when it changes."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file with the certificate's private key.")
    tls_client_ca_file: Path | None = Field(
        default=None,
        description=(
            "PEM file with the authorities whose client certificates identify clients over HTTPS, and their "
            "revocation lists, if these are to be checked; read again when it changes. Default: no client is asked for "
            "a certificate."
        ),
    )
    client_cert_format: Literal["rfc9440", "xfcc", "nginx", "pem"] | None = Field(
        default=None,
        description=(
            "How a trusted proxy in front passes the verified certificate of its client: `rfc9440` (`Client-Cert`), "
            "`xfcc` (Envoy's `x-forwarded-client-cert`), `nginx` (`ssl-client-cert` with percent encoding, beside "
            "`ssl-client-verify: SUCCESS`) or `pem` (the same encoding alone, in the header that "
            "`CLAUDE_GATEWAY_CLIENT_CERT_HEADER` names). Default: no header identifies anybody."
        ),
    )
    client_cert_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$",
        description="The header that has it. Default: the usual one of the format.",
    )
    client_cert_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description=(
            "Networks of the trusted proxies, such as `10.1.2.0/28`, separated by commas. Everybody in them can be any "
            "client. Default: trust needs the secret alone."
        ),
    )
    client_cert_secret_file: Path | None = Field(
        default=None,
        description=(
            "File with the secret that trusted proxies send as `x-gateway-proxy-secret`, at least 16 characters; "
            "several lines allow rotation. Read again when it changes. Default: the network alone is enough."
        ),
    )

    @field_validator("client_cert_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        return listed(value)

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError(
                "tls_cert_file and tls_key_file go together: set both CLAUDE_GATEWAY_TLS_CERT_FILE and "
                "CLAUDE_GATEWAY_TLS_KEY_FILE, or neither"
            )
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError(
                "tls_client_ca_file is for HTTPS: set CLAUDE_GATEWAY_TLS_CERT_FILE and CLAUDE_GATEWAY_TLS_KEY_FILE too"
            )
        return self

    @model_validator(mode="after")
    def _proxies_are_trusted_for_a_reason(self) -> Self:
        trusted = bool(self.client_cert_networks) or self.client_cert_secret_file is not None
        if self.client_cert_format is None:
            if trusted or self.client_cert_header is not None:
                raise ValueError("CLAUDE_GATEWAY_CLIENT_CERT_FORMAT must say how proxies pass certificates")
        elif not trusted:
            raise ValueError(
                "client_cert_format needs trusted proxies: set CLAUDE_GATEWAY_CLIENT_CERT_NETWORKS, "
                "CLAUDE_GATEWAY_CLIENT_CERT_SECRET_FILE, or both"
            )
        elif self.client_cert_format == "pem" and self.client_cert_header is None:
            raise ValueError("client_cert_format `pem` has no usual header: set CLAUDE_GATEWAY_CLIENT_CERT_HEADER")
        return self

    @property
    def certificate_header(self) -> CertificateHeader | None:
        """The header in which trusted proxies pass certificates, if any do."""
        if self.client_cert_format is None:
            return None
        usual = HEADERS[self.client_cert_format]
        return replace(usual, name=(self.client_cert_header or usual.name).lower())

    @property
    def takes_certificates(self) -> bool:
        """Whether any client certificate can be verified, here or by a proxy in front."""
        return self.tls_client_ca_file is not None or self.client_cert_format is not None

    @property
    def certificate(self) -> tuple[Path, Path] | None:
        """Certificate and key file, if HTTPS is configured."""
        if self.tls_cert_file is None or self.tls_key_file is None:
            return None
        return self.tls_cert_file, self.tls_key_file


def listed(value: object) -> object:
    """Split the text of a variable at its commas; any other value is returned unchanged."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
