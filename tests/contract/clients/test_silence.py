"""A model that is silent for longer than the CLI waits: five minutes as a rule, some seconds here."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.builders.targets import ANTHROPIC, ANTHROPIC_KEY, ROUTES
from tests.support.clients import cli
from tests.support.clients.tap import Tap
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

SILENCE = 14.0
# Bun's, which the CLI is made with, in place of five minutes; it ends a silent connection after about eight seconds.
IMPATIENT = {"BUN_CONFIG_HTTP_IDLE_TIMEOUT": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}
SLOW = {"text": "patience", "chunk_delay": SILENCE}


def ask(url: str, key: str, release: cli.Release) -> cli.Result:
    asked = ["-p", "--output-format", "json", "hello"]
    return cli.run(asked, url=url, key=key, model=ANTHROPIC.model, release=release, environment=IMPATIENT)


def test_pings_keep_the_cli_waiting() -> None:
    with (
        Scripted() as upstream,
        Scripted() as plain,
        System(environment={"CLAUDE_GATEWAY_PING_SECONDS": "1"}) as system,
    ):
        names = {"anthropic": ANTHROPIC_KEY, "openai": ANTHROPIC_KEY, "google": ANTHROPIC_KEY}
        system.apply(ROUTES.format(url=upstream.url), *(secret(name, key) for name, key in names.items()))
        upstream.script({**SLOW, "times": 2})
        plain.script(SLOW)
        with Tap(system.url) as front, ThreadPoolExecutor(3) as pool:
            direct = pool.submit(ask, plain.url, "any", "newest")
            through = [pool.submit(ask, front.url, system.key, release) for release in cli.RELEASES]
            assert [run.result().result["result"] for run in through] == ["patience"] * 2
            answers = [one.answer for one in front.passed]
        assert [answer.body.count(b"event: ping") >= 3 for answer in answers if answer] == [True] * 2
        # Without the gateway it gave up and asked again.
        assert direct.result().result["result"] != "patience"
