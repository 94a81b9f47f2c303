"""Names and ids that every provider takes, and back."""

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.names import call_id, signature_of, tool_names, upstream_id

TAKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)


def test_plain_names_stay() -> None:
    names = tool_names(["Bash", "mcp__server__tool-1", "x" * 64])
    assert not names.sent
    assert names.to_upstream("Bash") == names.to_client("Bash") == "Bash"


@given(st.sets(st.text(min_size=1, max_size=70) | st.text("ab.", min_size=60, max_size=130), max_size=8))
def test_every_name_is_taken_told_apart_and_comes_back(given_names: set[str]) -> None:
    names = tool_names(given_names)
    sent = [names.to_upstream(name) for name in given_names]
    assert all(TAKEN.fullmatch(name) for name in sent)
    assert len(set(sent)) == len(given_names)
    assert {names.to_client(name) for name in sent} == given_names


def test_a_name_does_not_depend_on_the_others() -> None:
    odd = "a tool.with/odd characters"
    assert tool_names([odd]).to_upstream(odd) == tool_names([odd, "other one"]).to_upstream(odd)


def test_a_name_made_to_clash_is_told_apart() -> None:
    odd = "mcp.tool"
    clash = tool_names([odd]).to_upstream(odd)
    names = tool_names([odd, clash])
    assert names.to_upstream(clash) == clash
    assert names.to_upstream(odd) != clash


def test_an_id_is_kept_unless_the_conversation_has_it() -> None:
    assert call_id("call_1", known=frozenset()) == "call_1"
    assert call_id("call_1", known=frozenset({"call_1"})).startswith("toolu_")
    for odd in (None, "", "ü", "x" * 41, "a b"):
        assert re.fullmatch(r"toolu_[0-9a-f]{24}", call_id(odd, known=frozenset()))


@given(st.binary(min_size=1, max_size=60))
def test_a_signature_travels_within_the_id(signature: bytes) -> None:
    text = base64.b64encode(signature).decode()
    ident = call_id(f"call_1__thought__{text}", known=frozenset(), signature=text)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", ident), "Anthropic takes no other characters"
    assert signature_of(ident) == text
    assert upstream_id(ident) == "call_1"


@given(st.text(max_size=80))
def test_an_id_for_an_upstream_is_short_and_always_the_same(ident: str) -> None:
    found = upstream_id(ident)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", found)
    assert upstream_id(found) == found == upstream_id(ident)
    signature_of(ident)
