"""The gateway's identity at Bedrock: keys or a bearer token from the bundle, or the pod's own identity; and SigV4.

botocore is imported in a thread, when the first Bedrock target is called: this takes a few tenths of a second.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lack, Lease

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

_FRESH: Final = 60.0
_USABLE: Final = 300.0
"""botocore renews a credential 15 minutes before its end, so that what it returned may be used for a while.

Keys with a shorter life are renewed in its last three quarters, and not used in its last eighth.
"""

_SERVICE: Final = "bedrock"


class AwsSecret(msgspec.Struct, frozen=True, rename="camel"):
    """A Bedrock entry of the secret part: a pair of keys, or a bearer token."""

    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str | None = None
    bearer_token: str = ""

    def __repr__(self) -> str:
        return "AwsSecret()"


@dataclass(frozen=True, slots=True)
class Keys:
    """The inputs of SigV4."""

    credentials: "ReadOnlyCredentials | Credentials" = field(repr=False)


def secret(text: str) -> AwsSecret:
    """Read an entry of the secret part. Raises IdentityError where it is neither keys nor a token."""
    try:
        found = msgspec.json.decode(text, type=AwsSecret)
    except msgspec.DecodeError:
        found = AwsSecret()
    if not found.bearer_token and not (found.access_key_id and found.secret_access_key):
        raise IdentityError("the credential for Bedrock has neither keys nor a bearer token")
    return found


class OwnKeys:
    """The pod's own identity as botocore's default chain finds it: environment, web identity, container, instance."""

    def __init__(self) -> None:
        self._found: Any = None

    def forget(self) -> None:
        """Search for an identity again next time, because the keys of this one were rejected."""
        self._found = None

    def lease(self) -> Lease[Keys]:
        """Return its current keys. Blocks. Raises IdentityError if there are none."""
        _import_signer()
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session

        try:
            found = self._found = self._found or Session().get_credentials()
            keys = None if found is None else Keys(found.get_frozen_credentials())
        except (BotoCoreError, ClientError, OSError, ValueError, RuntimeError) as error:
            # The messages may quote a token service's answer. Some exceptions are not botocore's own: a missing token
            # file, an answer that is not JSON, keys that have already expired.
            said = f"botocore could not get an AWS credential: {type(error).__name__}"
            raise IdentityError(said, lack_of(error)) from None
        if keys is None:
            raise IdentityError("botocore's default chain found no AWS credential in this pod")
        left = _seconds_left(found)
        return Lease(keys, fresh=min(_FRESH, left / 4), usable=min(_USABLE, left * 7 / 8))


def lack_of(error: Exception) -> Lack:
    """Return why botocore got no credential; AWS reports most of its throttling with status 400."""
    from botocore import exceptions

    if not isinstance(error, exceptions.ClientError):
        unanswered = isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
        return Lack.UNANSWERED if unanswered else Lack.MISSING
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    throttled = "Throttl" in str(error.response.get("Error", {}).get("Code"))
    return Lack.UNANSWERED if status >= 500 or status == 429 or throttled else Lack.MISSING


def _seconds_left(found: Any) -> float:
    """Return how long keys are valid; botocore has the end of renewed ones nowhere else."""
    ends = getattr(found, "_expiry_time", None)
    return float("inf") if not isinstance(ends, datetime) else max(0.0, (ends - datetime.now(UTC)).total_seconds())


def static_keys(found: AwsSecret) -> Lease[Keys]:
    """Return keys that do not change. Blocks while botocore is imported."""
    _import_signer()
    from botocore.credentials import Credentials

    keys = Keys(Credentials(found.access_key_id, found.secret_access_key, found.session_token))
    return Lease(keys, fresh=float("inf"), usable=float("inf"))


def signed(keys: Keys, *, region: str, url: str, body: bytes) -> dict[str, str]:
    """The headers that sign a POST of ``body``, the content type among them.

    Only the relevant headers are signed: a proxy on the way may change the others.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    request: Any = AWSRequest("POST", url=url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(keys.credentials, _SERVICE, region).add_auth(request)
    return dict(request.headers.items())


def _import_signer() -> None:
    """Import what ``signed`` needs on the event loop, in this thread."""
    import botocore.auth
    import botocore.awsrequest  # noqa: F401
