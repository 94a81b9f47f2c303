"""How every process reports wrong settings: by variable, with what is wrong, without the value."""

import json
import logging
from typing import Any

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from claude_gateway_runtime import logs
from claude_gateway_runtime.settings import Address, LogLevel, host_and_port, join_host_port, load

VALUE = "sk-very-secret-value"


class Settings(BaseSettings):
    """Some settings."""

    model_config = SettingsConfigDict(env_prefix="SOME_", frozen=True, extra="ignore")

    needed: str
    listen: Address = "0.0.0.0:80"
    seconds: float = 1.0
    log_level: LogLevel = "info"
    port: int = Field(default=1, validation_alias="OTHER_PORT")


def _refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **values: str) -> dict[str, Any]:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    before = logging.getLogger().handlers[:]
    try:
        logs.configure("info")
        assert load(Settings, log=logging.getLogger("test")) is None
    finally:
        logging.getLogger().handlers[:] = before
    output = capsys.readouterr().out
    assert VALUE not in output
    lines = [json.loads(line) for line in output.splitlines()]
    assert {(line["event"], line["level"]) for line in lines} == {("setting_refused", "error")}
    return {line["setting"]: line["error"] for line in lines}


def test_each_problem_names_its_variable_and_not_the_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = dict.fromkeys(("SOME_LISTEN", "SOME_SECONDS", "SOME_LOG_LEVEL", "OTHER_PORT"), VALUE)
    found = _refused(monkeypatch, capsys, **wrong)
    assert found.keys() == {*wrong, "SOME_NEEDED"}
    assert all(error.startswith(f"{name}: ") for name, error in found.items())
    assert found["SOME_NEEDED"] == "SOME_NEEDED: required, but not set"
    assert "such as 0.0.0.0:8080" in found["SOME_LISTEN"]


@pytest.mark.parametrize("address", ["80", "host", "a:b:80", "::1:80", "host:99999", "host:"])
def test_an_address_needs_a_host_and_a_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert "SOME_LISTEN" in _refused(monkeypatch, capsys, SOME_LISTEN=address, SOME_NEEDED="x")


def test_settings_that_are_right_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_NEEDED", "x")
    monkeypatch.setenv("SOME_LISTEN", "[::1]:80")
    found = load(Settings, log=logging.getLogger("test"))
    assert found is not None
    assert join_host_port(*host_and_port(found.listen)) == "[::1]:80"
