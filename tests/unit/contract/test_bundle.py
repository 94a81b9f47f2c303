"""The bundle: what was packed comes back, and nothing torn, forged or oversized ever does."""

import gzip
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.bundle import (
    COMPRESS_ABOVE,
    SCHEMA,
    SIZE_LIMIT,
    UNPACKED_LIMIT,
    Bundle,
    BundleError,
    Packed,
    TooLargeError,
    pack,
    secret_entry,
    unpack,
)
from claude_gateway.names import GATEWAY_JSON, LITELLM_YAML, META_JSON

KEY = b"sk-a-very-secret-value"
ENTRY = secret_entry("default.openai.key", KEY)
BUNDLE = Bundle(gateway=b'{"routes":[]}', litellm=b"model_list: []\n", secrets={ENTRY: KEY})


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(size).randbytes(size)


Changes = Mapping[str, bytes | None]


def changed(packed: Packed, config: Changes | None = None, secrets: Changes | None = None) -> Packed:
    """A packed bundle with other entries; None removes one."""
    parts = ({**packed.config, **(config or {})}, {**packed.secrets, **(secrets or {})})
    kept = [{name: data for name, data in part.items() if data is not None} for part in parts]
    return Packed(config=kept[0], secrets=kept[1])


def with_meta(packed: Packed, **fields: Any) -> Packed:
    """A packed bundle whose ``meta.json`` has other fields."""
    meta = {**json.loads(packed.config[META_JSON]), **fields}
    return changed(packed, {META_JSON: json.dumps(meta).encode()})


refs = st.text("abcxyz019.-_", min_size=1, max_size=20).filter(lambda ref: ref.strip("."))
values = st.binary(max_size=200) | st.binary(min_size=1, max_size=4).map(lambda seed: seed * COMPRESS_ABOVE)
bundles = st.builds(
    lambda gateway, litellm, secrets, schema: Bundle(
        gateway=gateway,
        litellm=litellm,
        secrets={secret_entry(ref, value): value for ref, value in secrets.items()},
        schema_version=schema,
    ),
    values,
    values,
    st.dictionaries(refs, values, max_size=4),
    st.sampled_from([SCHEMA, SCHEMA - 1]),
)


@given(bundles)
def test_what_was_packed_comes_back(bundle: Bundle) -> None:
    packed = pack(bundle)
    assert unpack(packed) == bundle
    assert pack(unpack(packed)) == packed


@given(bundles, st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_nothing(bundle: Bundle, order: random.Random) -> None:
    names = list(bundle.secrets)
    order.shuffle(names)
    shuffled = Bundle(
        gateway=bundle.gateway,
        litellm=bundle.litellm,
        secrets={name: bundle.secrets[name] for name in names},
        schema_version=bundle.schema_version,
    )
    assert list(pack(shuffled).secrets.items()) == list(pack(bundle).secrets.items())
    assert shuffled.meta == bundle.meta


@given(bundles, st.data())
def test_one_lost_or_spoilt_entry_is_always_noticed(bundle: Bundle, data: st.DataObject) -> None:
    packed = pack(bundle)
    part, name = data.draw(
        st.sampled_from([("config", name) for name in packed.config] + [("secrets", name) for name in packed.secrets])
    )
    stored = {"config": dict(packed.config), "secrets": dict(packed.secrets)}
    if data.draw(st.booleans()):
        del stored[part][name]
    else:
        at = data.draw(st.integers(0, len(stored[part][name])))
        stored[part][name] = stored[part][name][:at] + b"\x07" + stored[part][name][at:]
    try:
        found = unpack(Packed(config=stored["config"], secrets=stored["secrets"]))
    except BundleError:
        return
    # A gzip header has bytes that mean nothing; what comes out must then be what went in.
    assert found == bundle


def test_the_revision_follows_the_content_alone() -> None:
    revision = BUNDLE.meta.revision
    assert Bundle(BUNDLE.gateway, BUNDLE.litellm, {ENTRY: KEY}).meta.revision == revision
    others = [
        Bundle(b"{}", BUNDLE.litellm, {ENTRY: KEY}),
        Bundle(BUNDLE.gateway, b"", {ENTRY: KEY}),
        Bundle(BUNDLE.gateway, BUNDLE.litellm, {}),
        Bundle(BUNDLE.gateway, BUNDLE.litellm, {secret_entry("default.openai.key", b"rotated"): b"rotated"}),
        Bundle(BUNDLE.gateway, BUNDLE.litellm, {ENTRY: KEY}, schema_version=SCHEMA - 1),
    ]
    assert len({revision, *(other.meta.revision for other in others)}) == 6


def test_no_secret_value_stands_in_the_public_part_nor_in_a_repr() -> None:
    packed = pack(BUNDLE)
    assert KEY not in b"".join(packed.config.values())
    assert KEY.decode() not in repr(packed) + repr(BUNDLE) + repr(BUNDLE.meta)


def test_meta_says_what_it_needs_in_camel_case() -> None:
    meta = json.loads(pack(BUNDLE).config[META_JSON])
    assert set(meta) == {"schemaVersion", "revision", "checksums", "secrets"}
    assert meta["schemaVersion"] == SCHEMA
    assert meta["secrets"] == [ENTRY]


def test_only_large_entries_are_compressed() -> None:
    packed = pack(Bundle(gateway=b"x" * COMPRESS_ABOVE, litellm=b"x" * (COMPRESS_ABOVE + 1)))
    assert set(packed.config) == {GATEWAY_JSON, f"{LITELLM_YAML}.gz", META_JSON}
    assert len(packed.config[f"{LITELLM_YAML}.gz"]) < 1000


@pytest.mark.parametrize("part", ["public", "secret"])
def test_a_part_that_no_object_could_hold_is_refused(part: str) -> None:
    data = noise(SIZE_LIMIT + 10_000)
    secrets = {secret_entry("a", data): data} if part == "secret" else {}
    with pytest.raises(BundleError, match=f"the {part} part is 1.01 times as large as fits"):
        pack(Bundle(gateway=data if part == "public" else b"", litellm=b"", secrets=secrets))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".", "..", "ü", "a" * 254])
def test_a_name_that_no_secret_could_hold_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="name that no Secret can hold"):
        pack(Bundle(gateway=b"", litellm=b"", secrets={name: b""}))
    with pytest.raises(BundleError, match="name that no Secret can hold"):
        unpack(with_meta(pack(BUNDLE), secrets=[name]))


def test_entries_of_other_revisions_are_left_out() -> None:
    old = secret_entry("default.openai.key", b"old")
    assert unpack(changed(pack(BUNDLE), secrets={old: b"old", "broken.gz": b"x"})) == BUNDLE


def test_the_schema_before_is_still_read() -> None:
    before = Bundle(BUNDLE.gateway, BUNDLE.litellm, BUNDLE.secrets, schema_version=SCHEMA - 1)
    assert unpack(pack(before)) == before


def test_a_newer_writer_may_add_fields() -> None:
    assert unpack(with_meta(pack(BUNDLE), writtenBy="tomorrow")) == BUNDLE


@pytest.mark.parametrize(
    ("packed", "complaint"),
    [
        (with_meta(pack(BUNDLE), schemaVersion=SCHEMA + 1), f"schema version {SCHEMA + 1} is not supported"),
        (with_meta(pack(BUNDLE), schemaVersion=SCHEMA - 2), f"schema version {SCHEMA - 2} is not supported"),
        (with_meta(pack(BUNDLE), schemaVersion=SCHEMA - 1), "revision [0-9a-f]+ does not match the content"),
        (with_meta(pack(BUNDLE), revision="0" * 16), "revision 0+ does not match the content"),
        (with_meta(pack(BUNDLE), checksums={}), "gateway.json does not match its checksum"),
        (with_meta(pack(BUNDLE), checksums="x"), "meta.json cannot be read: 1 errors"),
        (changed(pack(BUNDLE), {META_JSON: None}), "meta.json is missing"),
        (changed(pack(BUNDLE), {META_JSON: b"{"}), "meta.json cannot be read"),
        (changed(pack(BUNDLE), {GATEWAY_JSON: None}), "gateway.json is missing"),
        (changed(pack(BUNDLE), {LITELLM_YAML: None}), "litellm.yaml is missing"),
        (changed(pack(BUNDLE), {LITELLM_YAML: b"other"}), "litellm.yaml does not match its checksum"),
        (
            changed(pack(BUNDLE), secrets={ENTRY: None}),
            "entry default.openai.key.[0-9a-f]+ of the secret part is missing",
        ),
        (changed(pack(BUNDLE), secrets={ENTRY: b"other"}), "does not match its name"),
        (with_meta(pack(BUNDLE), secrets=[]), "revision [0-9a-f]+ does not match the content"),
    ],
)
def test_a_bundle_that_does_not_fit_together_is_refused(packed: Packed, complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint) as caught:
        unpack(packed)
    assert KEY.decode() not in str(caught.value)


LARGE = Bundle(gateway=b"[" + b" " * COMPRESS_ABOVE + b"]", litellm=b"")
PRESSED = pack(LARGE).config[f"{GATEWAY_JSON}.gz"]
BOMB = gzip.compress(bytes(65 * 1024 * 1024))


def test_the_time_of_compression_does_not_show() -> None:
    assert PRESSED[4:8] == bytes(4)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (PRESSED[:-1], "is cut off"),
        (PRESSED[:30], "is cut off"),
        (b"", "is cut off"),
        (PRESSED + b"more", "goes on after its end"),
        (b"no gzip at all", "is not a gzip stream"),
        (PRESSED[:-8] + b"12345678", "is not a gzip stream"),
        (BOMB, "unpacks to more than the 67108864 bytes"),
    ],
    ids=["last byte", "middle", "empty", "tail", "other", "crc", "bomb"],
)
def test_a_broken_gzip_stream_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BundleError, match=f"gateway.json.gz {complaint}"):
        unpack(changed(pack(LARGE), {f"{GATEWAY_JSON}.gz": data}))


def test_many_small_bombs_are_refused_as_one() -> None:
    small = gzip.compress(bytes(33 * 1024 * 1024))
    with pytest.raises(BundleError, match=r"b.gz unpacks to more than the 67108864 bytes"):
        unpack(changed(pack(BUNDLE), {"a.gz": small, "b.gz": small}))


def test_an_entry_that_fills_the_room_leaves_none() -> None:
    full = gzip.compress(bytes(64 * 1024 * 1024))
    with pytest.raises(BundleError, match=r"b.gz unpacks to more"):
        unpack(changed(pack(BUNDLE), {"a.gz": full, "b.gz": gzip.compress(b"x")}))


def test_without_room_for_it_the_view_for_people_is_left_out() -> None:
    bundle = Bundle(gateway=b"{}", litellm=b"")
    packed = pack(bundle)
    assert set(packed.config) == {GATEWAY_JSON, META_JSON}
    assert unpack(packed) == bundle


def test_many_small_entries_are_more_to_etcd_than_their_values() -> None:
    """Managed fields hold every name once more, and etcd takes 1.5 MiB at most."""
    secrets = {f"{'n' * 200}.{number}": b"v" for number in range(3_400)}
    assert sum(map(len, secrets.values())) < 10_000
    with pytest.raises(TooLargeError, match="the secret part") as raised:
        pack(Bundle(gateway=b"{}", litellm=b"", secrets=secrets))
    assert 1 < raised.value.load < 1.1


def test_what_could_not_be_unpacked_is_not_packed() -> None:
    with pytest.raises(TooLargeError, match="the public part"):
        pack(Bundle(gateway=b" " * (UNPACKED_LIMIT + 1), litellm=b""))
