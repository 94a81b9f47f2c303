"""A cluster as an issuer of ServiceAccount tokens: its key, its JWKS, and tokens as its API server signs them."""

import time
import uuid
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

AUDIENCE: Final = "https://api.anthropic.com"
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
SUBJECT: Final = "system:serviceaccount:ai:cg-claude-gateway-proxy"


class Cluster:
    """Signs tokens with a key of its own."""

    def __init__(self, issuer: str = ISSUER) -> None:
        """Make a key."""
        self.issuer = issuer
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = uuid.uuid4().hex

    def jwks(self) -> dict[str, Any]:
        """The public keys, as ``/openid/v1/jwks`` of an API server serves them."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "RS256"}]}

    def token(self, *, audience: str = AUDIENCE, lifetime: int = 3600, age: int = 0, **claims: Any) -> str:
        """A token of the proxy's ServiceAccount, ``age`` seconds old; each has an id of its own."""
        issued = int(time.time()) - age
        payload = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": [audience],
            "iat": issued,
            "nbf": issued,
            "exp": issued + lifetime,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._kid})
