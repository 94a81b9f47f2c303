"""Certificates of upstreams are checked, and a private CA can be named."""

import asyncio
import os
import ssl
import sys
from pathlib import Path

import pytest
from tests.support.builders.certificates import self_signed
from tests.support.processes.inprocess import Upstream, whole

# The library reads the variable once, when it is imported: hence a process of its own.
_CHILD = """
import asyncio, sys
from multidict import CIMultiDict
from yarl import URL
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.unreachable import explain

async def main():
    upstreams = Upstreams(Egress(loopback=True))
    try:
        response = await upstreams.send(URL(sys.argv[1]), headers=CIMultiDict(), body=b"{}")
        print((await response.read()).decode())
    except Exception as error:
        print(explain(error).obstacle)
    finally:
        await upstreams.close()

asyncio.run(main())
"""


@pytest.mark.parametrize(("trusted", "printed"), [(True, '{"ok":1}'), (False, "certificate")])
async def test_a_certificate_counts_only_if_its_ca_is_named(tmp_path: Path, trusted: bool, printed: str) -> None:
    pem = tmp_path / "upstream.pem"
    pem.write_bytes(b"".join(self_signed("127.0.0.1")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    up = Upstream([whole(b'{"ok":1}')])
    server = await asyncio.start_server(up.serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    if trusted:
        environment["SSL_CERT_FILE"] = str(pem)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, url, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    server.close()
    assert output.decode().strip() == printed
    assert len(up.seen) == int(trusted)
