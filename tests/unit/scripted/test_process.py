"""The stand-in as a process: its start line and its end."""

import signal

import httpx
import pytest
from tests.support.processes import Process, python
from tests.support.waiting import until


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
