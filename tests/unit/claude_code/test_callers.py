"""Who may ask the backend, and whose login answers."""

import hashlib
import json
from pathlib import Path
from typing import Final

import pytest

from claude_gateway_claude_code.callers import Caller, Callers
from claude_gateway_runtime.failure import Failure

KEY: Final = "cgb_the-key-of-the-gateway"
OTHER: Final = "cgb_the-key-of-another-caller"
LOGIN, OTHERS = "sk-ant-oat01-the-login", "sk-ant-oat01-another-login"


def document(key: str, login: str) -> str:
    return json.dumps({hashlib.sha256(key.encode()).hexdigest(): {"name": "notebook", "login": login}})


@pytest.fixture
def callers(tmp_path: Path) -> Callers:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "callers.json").write_text(document(OTHER, OTHERS))
    return Callers(key_file=tmp_path / "key", callers_file=tmp_path / "callers.json")


def identify(callers: Callers, **headers: str) -> Caller:
    return callers.identify([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()])


def refused(callers: Callers, **headers: str) -> int:
    with pytest.raises(Failure) as failure:
        identify(callers, **headers)
    return failure.value.status


def test_the_gateway_brings_a_login(callers: Callers) -> None:
    wanted = Caller(name="gateway", login=LOGIN)
    assert identify(callers, x_api_key=KEY, x_claude_code_login=LOGIN) == wanted
    assert identify(callers, authorization=f"Bearer {KEY}", x_claude_code_login=LOGIN) == wanted
    assert identify(callers, authorization="Bearer wrong", x_api_key=KEY, x_claude_code_login=LOGIN) == wanted
    assert refused(callers, x_api_key=KEY) == 400
    assert refused(callers, x_api_key=KEY, x_claude_code_login="short") == 400
    assert LOGIN not in repr(wanted)


def test_a_callers_key_opens_one_login(callers: Callers) -> None:
    assert identify(callers, x_api_key=OTHER) == Caller(name="notebook", login=OTHERS)
    assert refused(callers, x_api_key=OTHER, x_claude_code_login=LOGIN) == 400


def test_everybody_else_is_refused(callers: Callers, tmp_path: Path) -> None:
    assert refused(callers) == 401
    assert refused(callers, x_api_key="", authorization="Basic x") == 401
    assert refused(callers, x_claude_code_login=LOGIN) == 401
    nobody = Callers(key_file=None, callers_file=tmp_path / "missing")
    assert refused(nobody, x_api_key=KEY, x_claude_code_login=LOGIN) == 401


def test_changed_files_are_read_again(callers: Callers, tmp_path: Path) -> None:
    assert refused(callers, x_api_key="cgb_a-newer-key-of-the-gateway", x_claude_code_login=LOGIN) == 401
    (tmp_path / "key").write_text("cgb_a-newer-key-of-the-gateway")
    (tmp_path / "callers.json").write_text(document(OTHER, f"{OTHERS}-refreshed"))
    assert identify(callers, x_api_key="cgb_a-newer-key-of-the-gateway", x_claude_code_login=LOGIN).login == LOGIN
    assert identify(callers, x_api_key=OTHER).login == f"{OTHERS}-refreshed"
    (tmp_path / "callers.json").unlink()
    assert refused(callers, x_api_key=OTHER) == 401


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "truncated"),
        ("[]", "Expected `object`"),
        ('{"x": {"name": "n", "login": ""}}', "the `login` of 'n' is not a token"),
        ('{"x": {"name": "n", "login": "secret with space"}}', "write what `claude setup-token` prints"),
        ('{"x": {"name": "n"}}', "missing required field `login`"),
        ('{"x": {"name": "n", "login": secret}}', "malformed"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing_and_the_log_says_why(
    callers: Callers, tmp_path: Path, text: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert identify(callers, x_api_key=OTHER).login == OTHERS
    (tmp_path / "callers.json").write_text(text)
    assert identify(callers, x_api_key=OTHER).login == OTHERS
    (record,) = [str(record.__dict__) for record in caplog.records]
    assert says in record
    assert "secret" not in record


def test_a_short_key_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    callers = Callers(key_file=tmp_path / "key", callers_file=None)
    assert refused(callers, x_api_key="x", x_claude_code_login=LOGIN) == 401
