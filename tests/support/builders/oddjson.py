"""Unusual but valid JSON as text: no library writes it, and every reader must accept it."""

from typing import Final

from hypothesis import strategies as st

_NUMBERS: Final = ("0", "-0", "1.0", "1e5", "1E+400", "-0.0e-7", "123456789012345678901234567890", "0.1000", "12e-3")
_PIECES: Final = (
    *(r"\u00e9", r"\ud83d\ude00", r"\uD83D\uDE00", r"\/", r"\"", r"\\", r"\n", r"\u0000", r"\b", r"\f"),
    *("é", "日本", "😀", "\x7f", "\u2028", "\ufeff", "\uffff", "x", " ", "model", "stream", '\\"usage\\":{', "data: "),
)
_HALVES: Final = (r"\ud83d", r"\ude00", r"\uD800x")
"""Halves of characters, as JavaScript writes them where it cut an emoji in two."""

_SPACES: Final = st.text(alphabet=" \t\r\n", max_size=2)


def strings(*, halves: bool) -> st.SearchStrategy[str]:
    """JSON strings, quotes included."""
    pieces = st.sampled_from(_PIECES + (_HALVES if halves else ()))
    return st.lists(pieces, max_size=4).map(lambda found: f'"{"".join(found)}"')


def values(*, halves: bool) -> st.SearchStrategy[str]:
    """Any JSON value; keys of objects within may come twice."""
    leaves = st.sampled_from(("null", "true", "false", *_NUMBERS)) | strings(halves=halves)
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(_spaced(inner), max_size=3).map(lambda found: f"[{','.join(found) or ' '}]")
            | st.lists(_member(strings(halves=halves), inner), max_size=3).map(lambda found: f"{{{','.join(found)}}}")
        ),
        max_leaves=8,
    )


@st.composite
def requests(draw: st.DrawFn, *, model: str, halves: bool = True, stream: bool = False) -> bytes:
    """A request for a model, whose other members nobody knows; no key of the top level comes twice."""
    names = draw(st.lists(st.sampled_from(("a", "é", "messages", r"m\u00f6del", "")), unique=True, max_size=4))
    members = [f'"{name}"{draw(_SPACES)}:{draw(_spaced(values(halves=halves)))}' for name in names]
    key = draw(st.sampled_from(("model", r"mod\u0065l")))
    members.append(f'{draw(_SPACES)}"{key}"{draw(_SPACES)}:{draw(_SPACES)}"{model}"')
    if stream:
        members.append('"stream":true')
    order = draw(st.permutations(members))
    return f"{draw(_SPACES)}{{{','.join(order)}{draw(_SPACES)}}}{draw(_SPACES)}".encode()


def _spaced(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(_SPACES, inner, _SPACES).map("".join)


def _member(key: st.SearchStrategy[str], value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(key, _spaced(value)).map(":".join)
