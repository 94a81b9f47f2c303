"""Access to the API server by a kubeconfig, for an operator that runs on a developer's machine.

The one module that imports ``kubernetes``, for its loader: kubeconfigs have client certificates, exec plugins and OIDC.
A pod never loads that part: Kopf imports the top of the package, which is small.
"""

import ssl
from typing import TYPE_CHECKING, Any

from claude_gateway_runtime.kube import Access, Cluster

if TYPE_CHECKING:
    from kubernetes.aio.client.configuration import Configuration


class KubeConfig:
    """The current context of the kubeconfig."""

    def __init__(self, configuration: "Configuration") -> None:
        """Use a loaded configuration."""
        self._configuration = configuration

    @classmethod
    async def load(cls) -> "KubeConfig":
        """Load ``KUBECONFIG`` or ``~/.kube/config``. Raises ConfigException."""
        from kubernetes.aio import config
        from kubernetes.aio.client.configuration import Configuration

        configuration = Configuration()
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        return cls(configuration)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return str(self._configuration.host).rstrip("/")

    def trust(self) -> ssl.SSLContext:
        """Return the TLS settings of the context, with its client certificate. Raises OSError."""
        chosen: Any = self._configuration
        context = ssl.create_default_context(cafile=chosen.ssl_ca_cert, cadata=chosen.ca_cert_data)
        # Python 3.13 also requires extensions that the certificates of many clusters do not have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if chosen.cert_file:
            context.load_cert_chain(chosen.cert_file, keyfile=chosen.key_file)
        if not chosen.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def authorization(self) -> str | None:
        """Return the ``Authorization`` header of the context's user, renewed if it expired. Raises OSError."""
        from kubernetes.aio.config import ConfigException

        try:
            return await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except ConfigException as error:
            raise OSError(f"the kubeconfig has no valid login: {error}") from None


async def access() -> Access:
    """Return the access to the API server: by the pod's ServiceAccount, or by the kubeconfig outside of a cluster."""
    return Cluster.of_pod() or await KubeConfig.load()
