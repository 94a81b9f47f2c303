"""The stand-in as a process: its start line and its end."""

import signal
import ssl
from pathlib import Path

import httpx
import pytest
from tests.support.builders.certificates import self_signed
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until


def test_it_says_where_it_listens_and_lets_answers_end_on_sigterm() -> None:
    with Process(python("claude_gateway_scripted", "--listen", "127.0.0.1:0")) as process:
        url = f"http://{process.listening()}"
        body = {
            "model": "m",
            "max_tokens": 9,
            "stream": True,
            "messages": [{"role": "user", "content": "[[pace 0.1]] a b"}],
        }
        with httpx.stream("POST", f"{url}/v1/messages", json=body) as answer:
            chunks = answer.iter_raw()
            seen = next(chunks)
            process.send(signal.SIGTERM)
            seen += b"".join(chunks)
        assert seen.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        assert process.wait() == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_the_quickstart_greeting_is_an_option() -> None:
    with Process(python("claude_gateway_scripted", "--listen", "127.0.0.1:0", "--greeting", "quickstart")) as process:
        url = f"http://{process.listening()}"
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        answer = until(lambda: httpx.post(f"{url}/v1/chat/completions", json=body)).json()
    assert "no AI was asked. You said: hi" in answer["choices"][0]["message"]["content"]


def test_with_a_certificate_it_serves_https_as_well(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    for path, text in zip((certificate, key), self_signed("localhost"), strict=True):
        path.write_bytes(text)
    given = ("--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key)
    with Process(python("claude_gateway_scripted", *map(str, given))) as process:
        plain = process.listening()
        (encrypted,) = until(lambda: process.lines("listening-tls"), what="HTTPS to be served")
        port = encrypted["address"].rpartition(":")[2]
        context = ssl.create_default_context(cafile=certificate)
        # As newer Pythons have it by default.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with httpx.Client(base_url=f"https://localhost:{port}", verify=context) as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            answer = client.post("/v1/chat/completions", json=body)
        assert answer.json()["choices"][0]["message"]["content"] == "echo: hi"
        (seen,) = httpx.get(f"http://{plain}/__log").json()
        assert seen["path"] == "/v1/chat/completions"
        process.send(signal.SIGTERM)
        assert process.wait() == 0


def test_a_certificate_needs_its_key() -> None:
    with Process(python("claude_gateway_scripted", "--tls-cert", "tls.crt")) as process:
        assert process.wait() == 2
        until(lambda: "--tls-cert and --tls-key go together" in process.output, what="the usage error")
