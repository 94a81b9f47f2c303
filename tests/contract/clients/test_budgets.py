"""A spent budget as the real CLI shows it: one sentence with the reset and what to do, asked for once."""

import re
from collections.abc import Iterator

import pytest
from tests.support.builders.objects import budget
from tests.support.builders.targets import ANTHROPIC_KEY, PASS_THROUGH
from tests.support.clients import cli
from tests.support.clients.tap import Tap
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

CONTACT = "ask for more at https://go.example.com/claude"


@pytest.fixture(scope="module")
def through() -> Iterator[tuple[System, Scripted, Tap]]:
    """A gateway whose clients may spend nearly nothing, with what the CLI sees of it."""
    with Scripted() as upstream, System() as system, Tap(system.url) as tap:
        spent = budget("blue", amount="0.000001", contact=CONTACT)
        system.apply(PASS_THROUGH.format(url=upstream.url), secret("anthropic", ANTHROPIC_KEY), spent)
        yield system, upstream, tap


@pytest.mark.parametrize("release", cli.RELEASES)
def test_the_cli_shows_the_message_and_does_not_try_again(
    through: tuple[System, Scripted, Tap], release: cli.Release
) -> None:
    system, upstream, tap = through
    asked = ["-p", "--output-format", "json", "hello"]
    cli.run(asked, url=tap.url, key=system.key, release=release)
    tap.forget()
    upstream.forget()
    done = cli.run(asked, url=tap.url, key=system.key, release=release)
    shown = str(done.result["result"])
    sentence = (
        rf"the budget 'blue' is spent \(\$0\.000001 per month\) · resets \w{{3}} 1, 00:00 UTC · {re.escape(CONTACT)}"
    )
    assert re.search(sentence, shown), shown
    assert done.rc == 1
    statuses = [one.answer.status for one in tap.passed if one.answer and one.request.target.startswith("/v1/messages")]
    assert statuses == [429]
    assert not upstream.requests
