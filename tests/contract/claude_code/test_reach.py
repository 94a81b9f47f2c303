"""Who reaches the backend without the gateway, and whom the backend reaches."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.clients.anthropic_tls import HOST, anthropic
from tests.support.processes.backend import CALLER_KEY, OTHER_LOGIN, Backend

from claude_gateway_scripted import Scripted
from claude_gateway_scripted.journal import digest

_LITELLM = """
import litellm, sys
url, key = sys.argv[1:]
messages = [{"role": "user", "content": "hello"}]
chunks = litellm.completion(model="anthropic/sonnet", api_base=url, api_key=key, messages=messages, stream=True)
print("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
"""


def test_somebody_elses_litellm_asks_with_a_key_of_its_own(backend: Backend, upstream: Scripted) -> None:
    arguments = [sys.executable, "-W", "ignore", "-c", _LITELLM, backend.url, CALLER_KEY]
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.splitlines()[-1] == "echo: hello", done.stderr
    assert [dict(request.headers)["Authorization"] for request in upstream.requests] == [
        f"Bearer {digest(OTHER_LOGIN)}"
    ]


def test_nobody_but_anthropic_is_asked_by_way_of_a_company_proxy(scripted: Scripted, tmp_path: Path) -> None:
    with anthropic(scripted.url, tmp_path) as company:
        proxy, authority = company.environment["HTTPS_PROXY"], company.environment["SSL_CERT_FILE"]
        environment = {"HTTPS_PROXY": proxy, "NODE_EXTRA_CA_CERTS": authority}
        with Backend("https://api.anthropic.com", environment=environment) as backend:
            answer = backend.ask()
            assert answer.status_code == 200, answer.text
            backend.ready(1)
            assert backend.metric("claude_gateway_claude_code_egress_refused") == 0
    assert set(company.asked) == {f"{HOST}:443"}
    assert [request.path for request in scripted.requests] == ["/v1/messages"]
