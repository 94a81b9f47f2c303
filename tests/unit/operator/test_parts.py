"""The operator's small parts, each without an API server."""

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from claude_gateway.plan.litellm_config import LiteLLMSettings
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status import Event
from claude_gateway_operator import rollout, status_writer
from claude_gateway_operator.__main__ import QUIET
from claude_gateway_operator.bootstrap import new_key
from claude_gateway_operator.doorbell import Doorbell
from claude_gateway_operator.gather import BELIEVE_SECONDS, Rights
from claude_gateway_operator.handlers import Forever, Sieve
from claude_gateway_operator.loop import Loop
from claude_gateway_operator.object_watch import Known, subjects
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.rights import own_rules, watched_rules
from claude_gateway_operator.settings import Settings
from claude_gateway_operator.store import Stored
from claude_gateway_runtime import kube, logs
from claude_gateway_runtime.kube import Forbidden, Retryable
from claude_gateway_runtime.settings import host_and_port

README = (Path(__file__).parents[3] / "operator" / "README.md").read_text()
REQUIRED = {"POD_NAMESPACE": "gateway", "CLAUDE_GATEWAY_OPERATOR_RELEASE": "cg"}


def settings(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    """Settings as the environment gives them."""
    for name, value in {**REQUIRED, **{f"CLAUDE_GATEWAY_OPERATOR_{k}": v for k, v in more.items()}}.items():
        monkeypatch.setenv(name, value)
    return Settings()


async def test_many_rings_are_one_answer() -> None:
    bell = Doorbell(quiet=0.01, longest=0.05)
    for _ in range(50):
        bell.ring()
    assert await bell.answer(10)
    assert not await bell.answer(0.01)
    assert bell.rings == 50


async def test_a_bell_that_never_stops_is_answered_all_the_same() -> None:
    bell = Doorbell(quiet=0.05, longest=0.2)

    async def ring() -> None:
        while True:
            bell.ring()
            await asyncio.sleep(0.01)

    ringing = asyncio.create_task(ring())
    assert await asyncio.wait_for(bell.answer(10), 10)
    ringing.cancel()


async def test_a_ring_during_a_reconciliation_causes_another_one() -> None:
    bell = Doorbell(quiet=0.001, longest=0.01)
    reconciliations: list[int] = []
    done = asyncio.Event()

    async def reconcile() -> float | None:
        reconciliations.append(len(reconciliations))
        if len(reconciliations) == 1:
            bell.ring()
        else:
            done.set()
        return None

    task = asyncio.create_task(Loop(reconcile, bell=bell, resync=1000, failed=lambda: None).run())
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()
    assert len(reconciliations) == 2


@pytest.mark.parametrize("error", [Retryable("away"), KeyError("a bug")])
async def test_a_failed_reconciliation_is_retried_and_its_message_is_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[int] = []
    done = asyncio.Event()

    async def reconcile() -> float | None:
        if not failures:
            raise error
        done.set()
        return None

    loop = Loop(reconcile, bell=Doorbell(), resync=1000, failed=lambda: failures.append(1))
    task = asyncio.create_task(loop.run())
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()
    assert failures == [1]
    assert "a bug" not in caplog.text


async def test_a_running_reconciliation_completes_before_the_end() -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reconcile() -> float | None:
        began.set()
        await may_end.wait()
        ended.set()
        return None

    task = asyncio.create_task(Loop(reconcile, bell=Doorbell(), resync=1000, failed=lambda: None).run())
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait([task])
    assert ended.is_set()
    assert task.cancelled()


async def test_a_reconciliation_is_due_when_the_last_one_says_so() -> None:
    reconciliations = 0
    done = asyncio.Event()

    async def reconcile() -> float | None:
        nonlocal reconciliations
        reconciliations += 1
        if reconciliations == 3:
            done.set()
        return 0.01

    task = asyncio.create_task(Loop(reconcile, bell=Doorbell(), resync=1000, failed=lambda: None).run())
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()


def test_the_sieve_lets_through_what_users_changed() -> None:
    sieve = Sieve()
    first = {"metadata": {"uid": "a", "generation": 1}}
    assert sieve.news(None, first)
    assert not sieve.news("MODIFIED", first)
    assert sieve.news("MODIFIED", {"metadata": {"uid": "a", "generation": 2}})
    assert sieve.news("DELETED", first)
    assert sieve.news("ADDED", first), "one of that name was made again"


def test_what_we_wrote_is_no_news() -> None:
    known = Known()
    written = {"metadata": {"uid": "a", "resourceVersion": "5"}}
    known.note(written)
    assert not known.news(kube.Event("MODIFIED", written, "5"))
    assert known.news(kube.Event("MODIFIED", {"metadata": {"uid": "a", "resourceVersion": "6"}}, "6"))
    assert not known.news(kube.Event("BOOKMARK", {"metadata": {"resourceVersion": "9"}}, "9"))
    assert known.news(kube.Event("DELETED", written, "5"))
    assert known.news(kube.Event("ADDED", written, "5"))


def test_pauses_never_end() -> None:
    pauses = iter(Forever())
    assert [next(pauses) for _ in range(100)][-1] == 20.0
    assert not hasattr(Forever(), "__len__"), "Kopf counts attempts of what has a length"


def test_a_right_that_was_there_must_be_gone_for_a_while() -> None:
    now = 0.0
    rights = Rights(clock=lambda: now)
    rights.lacks("never had", Forbidden("no"))
    rights.has("had")
    with pytest.raises(Retryable):
        rights.lacks("had", Forbidden("no"))
    now = BELIEVE_SECONDS
    rights.lacks("had", Forbidden("no"))
    rights.lacks("had", Forbidden("no"))
    rights.has("had")
    with pytest.raises(Retryable):
        rights.lacks("had", Forbidden("no"))


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(monkeypatch, WATCH_NAMESPACES=" team-a,gateway,,team-b ", EGRESS_HOSTS="10.0.0.1,h")
    assert read.namespaces == ("gateway", "team-a", "team-b")
    assert read.egress_hosts == ("10.0.0.1", "h")
    assert read.forward_hosts == ("api.anthropic.com",)
    assert settings(monkeypatch, FORWARD_HOSTS="").forward_hosts == ()
    assert settings(monkeypatch, IDENTITY_NAMESPACES="team-a").identity_namespaces == ("team-a",)
    assert settings(monkeypatch, WATCH_NAMESPACES="").namespaces == ("gateway",)


@pytest.mark.parametrize(
    ("name", "value"), [("WATCH_NAMESPACES", "Team"), ("HEALTH_LISTEN", "8080"), ("RESYNC_SECONDS", "0")]
)
def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        settings(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("text", "parts"), [("0.0.0.0:80", ("0.0.0.0", 80)), (":80", ("", 80)), ("[::1]:80", ("::1", 80))]
)
def test_addresses(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text) == parts


def test_the_readme_has_every_setting_and_every_right() -> None:
    for name, info in Settings.model_fields.items():
        variable = str(info.validation_alias or f"CLAUDE_GATEWAY_OPERATOR_{name.upper()}")
        assert f"`{variable}`" in README
    for rule in (*watched_rules(), *own_rules("<release>")):
        (row,) = [
            line
            for line in README.splitlines()
            if line.startswith("|")
            and all(f"`{resource}`" in line for resource in rule["resources"])
            and all(f"`{name}`" in line for name in rule.get("resourceNames", ()))
            and re.findall(r"`(\w+)`", line.split("|")[-2]) == rule["verbs"]
        ]
        assert row


def test_no_right_is_for_everything() -> None:
    for rule in (*watched_rules(), *own_rules("cg")):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
        if set(rule["verbs"]) & {"create", "patch", "delete"}:
            scoped = "resourceNames" in rule or rule["resources"] == ["events"]
            assert scoped or all(resource.endswith("/status") for resource in rule["resources"])


def test_only_names_are_asked_of_single_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    for subject in subjects(settings(monkeypatch, WATCH_NAMESPACES="team")):
        assert subject.query
        if "/secrets" in subject.collection:
            assert subject.metadata_only


def test_a_deployment_as_the_chart_made_it_is_not_rolled() -> None:
    defaults = rollout.checksum(LiteLLMSettings())
    other = rollout.checksum(LiteLLMSettings(drop_params=False))
    annotated = {"spec": {"template": {"metadata": {"annotations": {rollout.ANNOTATION: other}}}}}
    assert not rollout.due(None, other)
    assert not rollout.due({}, defaults)
    assert rollout.due({}, other)
    assert rollout.due(annotated, defaults)
    assert not rollout.due(annotated, other)


def test_warnings_are_told_first() -> None:
    ref = ObjectRef("ModelRoute", "a", "b")
    events = [Event(ref, kind, reason, "") for kind, reason in (("Normal", "A"), ("Warning", "B"), ("Normal", "C"))]
    assert [event.reason for event in status_writer.ordered(events)] == ["B", "A", "C"]


def test_the_owner_knows_its_own() -> None:
    owner = Owner(namespace="gateway", release="cg", uid="u1")
    mine = owner.metadata("x")
    assert owner.owns(mine)
    assert not Owner(namespace="gateway", release="cg", uid="u2").owns(mine)
    assert not Owner(namespace="gateway", release="other", uid="u1").owns(mine)
    assert not owner.owns({"name": "x"})
    assert "ownerReferences" not in owner.unowned("x")
    assert owner.made(owner.unowned("x"))
    assert not owner.made({"name": "x"})
    nobody = Owner(namespace="gateway", release="cg", uid=None)
    assert "ownerReferences" not in nobody.metadata("x")
    assert nobody.owns(mine)


def test_a_new_key_is_one_of_ours() -> None:
    assert re.fullmatch(r"cgw_[A-Za-z0-9_-]{43}", new_key())
    assert new_key() != new_key()


def test_what_is_stored_shows_no_value() -> None:
    stored = Stored(config={}, values={"a": b"hush"}, token="hush")
    assert "hush" not in repr(stored)
    assert Stored().slices() is None


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
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger("kopf").setLevel(logging.NOTSET)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["happened", "failed", "also failed"]
    assert lines[0]["value"] == 5
    assert lines[1]["error"] == lines[2]["error"] == "ValueError"
    assert "sk-secret-value" not in str(lines)
