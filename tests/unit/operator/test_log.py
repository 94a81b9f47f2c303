"""The operator's log."""

import json
import logging

import pytest

from claude_gateway_operator.__main__ import QUIET
from claude_gateway_runtime import logs


def test_a_log_line_is_json_without_the_words_of_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        logs.configure("info", quiet=QUIET)
        log = logging.getLogger("claude_gateway_operator.test")
        logs.emit(log, "happened", value=5, level=logging.WARNING)
        try:
            int("sk-secret-value")
        except ValueError as error:
            logs.unexpected(log, "failed", error)
            log.exception("also failed")
        logging.getLogger("kopf.objects").info("Handler succeeded.")
        logging.getLogger("kopf._cogs.clients.watching").error("Request attempt #1 failed; will retry: GET https://x")
    finally:
        logging.getLogger().handlers[:] = before
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.NOTSET)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["happened", "failed", "also failed"]
    assert lines[0]["value"] == 5
    assert lines[1]["error"] == lines[2]["error"] == "ValueError"
    assert "sk-secret-value" not in str(lines)
