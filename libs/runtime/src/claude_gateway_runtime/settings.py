"""What the settings of all processes share: types, addresses, and one way to report what is wrong."""

import logging
import re
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from claude_gateway_runtime.logs import emit

_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.%a-z]+\]|[^\s:\[\]]*):([0-9]{1,5})")
_LAST_PORT: Final = 65535
_PREFIX: Final = "Value error, "
"""The prefix that pydantic adds to a validator's message."""

S = TypeVar("S", bound=BaseSettings)


def _checked(address: str) -> str:
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found[2]) > _LAST_PORT:
        raise ValueError("must be `host:port`, such as 0.0.0.0:8080, [::1]:8080 or :8080")
    return address


Address = Annotated[str, AfterValidator(_checked)]
"""``host:port`` to listen on; an empty host is every address, and an IPv6 address stands in brackets."""

LogLevel = Literal["debug", "info", "warning", "error"]


def host_and_port(address: Address) -> tuple[str, int]:
    """Split a listen address; an empty host is every address."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def join_host_port(host: str, port: int | str) -> str:
    """Return ``host:port``, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def load(settings: type[S], *, log: logging.Logger) -> S | None:
    """Read settings from the environment; log each problem and return None if there are any.

    A problem names the environment variable and what it must be, never its value.
    """
    try:
        return settings()
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=False, include_context=False):
            variable, problem = _variable(settings, details), _problem(details)
            said = problem if variable is None else f"{variable}: {problem}"
            emit(log, "setting_refused", level=logging.ERROR, setting=variable, error=said)
        return None


def _variable(settings: type[BaseSettings], details: ErrorDetails) -> str | None:
    """Return the environment variable of a problem; None if it is about several together."""
    if not details["loc"]:
        return None
    # The alias of a field is the whole name of the variable.
    field = str(details["loc"][0])
    prefix = settings.model_config.get("env_prefix") or ""
    return f"{prefix}{field}".upper() if field in settings.model_fields else field


def _problem(details: ErrorDetails) -> str:
    if details["type"] == "missing":
        return "required, but not set"
    return details["msg"].removeprefix(_PREFIX)
