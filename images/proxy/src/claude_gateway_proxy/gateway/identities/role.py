"""AWS roles that the gateway assumes, with session tags that separate its callers on the AWS bill.

Each caller has a session of an hour, which is renewed while it is used. Source: "Pass session tags in AWS STS"
of the IAM user guide, and the reference of ``AssumeRole``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

from claude_gateway.contract.target import Role
from claude_gateway_proxy.gateway.identities.aws import Keys, lack_of
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lease
from claude_gateway_runtime.bounded_dict import BoundedDict

Tags = tuple[tuple[str, str], ...]
"""Session tags: names with values, in characters that AWS accepts."""

_SECONDS: Final = 3600
"""The longest session that AWS grants to keys that belong to a role themselves."""

_MARGIN: Final = 60.0
_CLIENTS: Final = 16
"""The most pairs of keys and region whose clients are cached: creating one takes a tenth of a second."""

_NAME: Final = "claude-gateway"
_CODE: Final = re.compile(r"[A-Za-z.]{1,64}")


@dataclass(frozen=True, slots=True)
class Session:
    """A role to assume, through the token service of a region. ``name`` is the session name in AWS's records."""

    role: Role
    region: str
    tags: Tags = ()
    name: str = _NAME


class Roles:
    """Assumes roles. Its methods block, and may be called from several threads."""

    def __init__(self) -> None:
        """Import botocore and call AWS only in ``assume``."""
        self._lock = Lock()
        self._session: Any = None
        self._clients: BoundedDict[tuple[str | None, str], Any] = BoundedDict(_CLIENTS)

    def assume(self, session: Session, *, base: Callable[[], Keys]) -> Lease[Keys]:
        """Return the keys of a new session; ``base`` returns the keys for the call. Raises IdentityError."""
        from botocore.credentials import Credentials
        from botocore.exceptions import BotoCoreError, ClientError

        role, tags = session.role, [{"Key": name, "Value": value} for name, value in session.tags]
        optional = {} if role.external_id is None else {"ExternalId": role.external_id}
        try:
            found = self._client(base(), session.region).assume_role(
                RoleArn=role.arn, RoleSessionName=session.name, DurationSeconds=_SECONDS, Tags=tags, **optional
            )["Credentials"]
            keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
            left = (found["Expiration"] - datetime.now(UTC)).total_seconds()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            shown = code if _CODE.fullmatch(code) else "an error"
            raise IdentityError(f"AWS did not let the gateway assume {role.arn}: {shown}", lack_of(error)) from None
        except (BotoCoreError, OSError, KeyError, TypeError, ValueError) as error:
            said = f"the gateway could not assume {role.arn}: {type(error).__name__}"
            raise IdentityError(said, lack_of(error)) from None
        return Lease(Keys(keys), fresh=left * 3 / 4, usable=max(0.0, left - _MARGIN))

    def _client(self, keys: Keys, region: str) -> Any:
        """Return the client of STS under these keys."""
        from botocore.config import Config
        from botocore.session import Session as Botocore

        base = keys.credentials
        known = (base.access_key, region)
        with self._lock:
            found = self._clients.used(known)
            if found is None:
                self._session = self._session or Botocore()
                found = self._clients[known] = self._session.create_client(
                    "sts",
                    region_name=region,
                    aws_access_key_id=base.access_key,
                    aws_secret_access_key=base.secret_key,
                    aws_session_token=base.token,
                    config=Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}),
                )
        return found
