"""The state machine of a sign-in: every step, every mistake, and ends that stay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from claude_gateway_auth import flow
from claude_gateway_auth.credential import Credential, Method
from claude_gateway_auth.flow import SENTENCES, Phase, SignIn, Trouble

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
LINK = "https://claude.com/cai/oauth/authorize?code=true&client_id=c&state=st-1"
ALICE = Credential(
    namespace="default", name="alice", owner="alice@example.com", method=Method.LOGIN, secret_name="alice-login"
)


def began() -> SignIn:
    return flow.begin(ALICE, identifier="1", by="alice", session="s", now=NOW)


def shown() -> SignIn:
    return flow.link_shown(began(), LINK, NOW)


def checking() -> SignIn:
    state, code = flow.code_given(shown(), "abc#st-1", LATER)
    assert code == "abc#st-1"
    return state


def test_the_way_from_the_link_to_the_stored_login() -> None:
    assert (began().phase, shown().phase, checking().phase) == (Phase.STARTING, Phase.LINK, Phase.CHECKING)
    done = flow.stored(checking(), LATER)
    assert (done.phase, done.link, done.sentence) == (Phase.STORED, None, "")
    assert all(state.next_step for state in (began(), shown(), checking(), done))


@pytest.mark.parametrize(
    "pasted",
    [
        "abc#st-1",
        "  abc#st-1\n",
        "ab\nc#st-1",
        "https://platform.claude.com/oauth/code/callback?code=abc&state=st-1",
    ],
)
def test_a_code_is_found_in_what_people_paste(pasted: str) -> None:
    state, code = flow.code_given(shown(), pasted, LATER)
    assert (state.phase, code) == (Phase.CHECKING, "abc#st-1")


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "abc",
        "abc#",
        "#st-1",
        "a;b#st-1",
        "abc#st 1;",
        "abc#st-1#more",
        "x" * 5000,
        "https://claude.com/",
        "\x1b[A#st-1",
    ],
)
def test_half_a_code_is_asked_for_again(pasted: str) -> None:
    state, code = flow.code_given(shown(), pasted, LATER)
    assert (state.phase, state.trouble, code) == (Phase.LINK, Trouble.INCOMPLETE, None)
    again, code = flow.code_given(state, "abc#st-1", LATER)
    assert (again.phase, again.trouble, code) == (Phase.CHECKING, None, "abc#st-1")


def test_a_code_of_another_link_is_not_sent() -> None:
    state, code = flow.code_given(shown(), "abc#st-2", LATER)
    assert (state.phase, state.trouble, code) == (Phase.LINK, Trouble.OTHER_LINK, None)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/authorize?state=st-1",
        "http://claude.com/authorize?state=st-1",
        "https://claude.com.evil.example/?state=st-1",
        "https://claude.com@evil.example/?state=st-1",
        "https://claude.com/authorize",
        "javascript:alert(1)",
    ],
)
def test_only_links_to_anthropic_are_shown(link: str) -> None:
    state = flow.link_shown(began(), link, NOW)
    assert (state.phase, state.link) == (Phase.FAILED, None)


def test_an_end_stays() -> None:
    for end in (
        flow.stored(checking(), NOW),
        flow.failed(shown(), Trouble.NETWORK, NOW),
        flow.cancelled(shown(), NOW),
    ):
        assert flow.failed(end, Trouble.CLI, LATER) == end
        assert flow.stored(end, LATER) == end
        assert flow.cancelled(end, LATER) == end
        assert flow.link_shown(end, LINK, LATER) == end
        assert flow.code_given(end, "abc#st-1", LATER) == (end, None)
        assert flow.code_refused(end, Trouble.INCOMPLETE, LATER) == end
        assert not flow.expired(end, NOW + timedelta(days=1))


def test_a_refused_code_is_asked_for_again_and_nobody_waits_for_ever() -> None:
    state = flow.code_refused(checking(), Trouble.INCOMPLETE, LATER)
    assert (state.phase, state.link) == (Phase.LINK, LINK)
    assert not flow.expired(state, LATER + flow.PATIENCE)
    assert flow.expired(state, LATER + flow.PATIENCE + timedelta(seconds=1))


def test_every_trouble_is_a_sentence_with_a_next_step() -> None:
    for trouble in Trouble:
        what, step = SENTENCES[trouble]
        assert what.endswith(".")
        assert step.endswith(".")
        state = replace(shown(), trouble=trouble)
        assert (state.sentence, state.next_step) == (what, step)
