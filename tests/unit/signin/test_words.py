"""What the CLI's words mean, as it writes them to pipes and draws them in a terminal."""

import pytest

from claude_gateway_auth.driver import words
from claude_gateway_auth.flow import Trouble

LINK = "https://claude.com/cai/oauth/authorize?code=true&client_id=9d1c&state=hF-d_X"


def test_a_link_is_whole_once_something_follows_it() -> None:
    assert words.link(f"visit: {LINK}") is None
    assert words.link(f"visit: {LINK}\nPaste code here") == LINK
    assert words.link(f"\x1b[1m{LINK}\x1b[0m\r\n") == LINK
    assert words.link(f"\x1b]8;;{LINK}\x07{LINK}\x1b]8;;\x07 ") == LINK
    assert words.link("no link here\n") is None


def test_a_token_is_whole_once_something_follows_it() -> None:
    assert words.token("token: sk-ant-oat01-ab-c_d") is None
    assert words.token("token:\x1b[3Gsk-ant-oat01-ab-c_d\x1b[K\r\n") == "sk-ant-oat01-ab-c_d"


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("Login successful.\n", None),
        ("Paste code here if prompted > ", None),
        ("That doesn't look like the full code. Copy all of it, including the #", Trouble.INCOMPLETE),
        ("Couldn't log in: That code wasn't accepted. It may be incomplete, expired", Trouble.NOT_ACCEPTED),
        ("\u2718OAuth\x1b[1Cerror:\x1b[1CThat\x1b[1Ccode\x1b[1Cwasn\u2019t\x1b[1Caccepted.", Trouble.NOT_ACCEPTED),
        ("Couldn't log in: Request failed with status code 500", Trouble.ANTHROPIC),
        ("Couldn't log in: Request failed with status code 429", Trouble.ANTHROPIC),
        ("Couldn't log in: Request failed with status code 403", Trouble.NOT_ACCEPTED),
        ("OAuth error: The sign-in service couldn't finish signing you in (HTTP 500).", Trouble.ANTHROPIC),
        ("Couldn't log in: connect ECONNREFUSED 127.0.0.1:9", Trouble.NETWORK),
        ("OAuth error: Couldn't get an answer from the sign-in service (ECONNREFUSED).", Trouble.NETWORK),
        ("Couldn't log in: self-signed certificate in certificate chain", Trouble.NETWORK),
        ("Couldn't log in: something new", Trouble.CLI),
    ],
)
def test_failures_are_told_apart(text: str, trouble: Trouble | None) -> None:
    assert words.trouble(text) is trouble
