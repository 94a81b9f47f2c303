"""``claude-gateway conformance`` where it asks nobody: its list, its configuration, and what it cannot do."""

from pathlib import Path

from tests.support.builders import objects as builders
from tests.support.processes.command import call

from claude_gateway.conformance.checks import CHECKS

UPSTREAM = ("--upstream", "http://127.0.0.1:4001")


def test_the_list_tells_every_check_with_its_source() -> None:
    listed = call("conformance", "--list")
    assert listed.code == 0
    ids = [line for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert ids == [check.id for check in CHECKS]
    assert "(Anthropic: LLM gateway protocol)" in listed.stdout
    only = call("conformance", "--list", "--only", "stream.pings", "--only", "errors.key.missing").stdout
    assert [line for line in only.splitlines() if not line.startswith(" ")] == [
        "stream.pings.forwarded",
        "stream.pings.silence",
        "stream.pings.boundaries",
        "errors.key.missing",
    ]


def test_the_printed_configuration_is_sound(tmp_path: Path) -> None:
    printed = call("conformance", "--print-config", *UPSTREAM, "--other-model", "gpt-mine")
    (tmp_path / "conformance.yaml").write_text(printed.stdout)
    environment = {"CLAUDE_GATEWAY_KEY": builders.CLIENT_KEY}
    linted = call("lint", "-f", tmp_path, "--forward-to", "127.0.0.1", environment=environment)
    assert linted.code == 0, linted.stdout + linted.stderr
    assert "gpt-mine" in printed.stdout
    assert builders.CLIENT_KEY not in printed.stdout


def test_what_it_cannot_do_is_exit_code_2(tmp_path: Path) -> None:
    assert call("conformance", "--print-config").code == 2
    assert call("conformance", "--only", "no.such.check").code == 2
    nobody = call("conformance", "--url", "http://127.0.0.1:9", environment={"CLAUDE_GATEWAY_KEY": "k"})
    assert nobody.code == 2
    assert "nothing listens" in nobody.stderr
