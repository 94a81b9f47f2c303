"""The bundle: everything that crosses from control plane to data plane, versioned, checked and whole.

``pack`` returns the entries of a ConfigMap and of a Secret; ``unpack`` reads them, or says why not. There are no
torn sets: an entry of the secret part is named by its content (``<ref>.<hash8>``), and ``unpack`` refuses a bundle
when one entry that it needs is absent, so a reader keeps what it had.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pydantic import ValidationError

from claude_gateway.contract.base import Contract
from claude_gateway.names import GATEWAY_JSON, LITELLM_YAML, META_JSON

SCHEMA: Final = 1
"""Version of the bundle's schema. A reader takes this one and the one before."""

COMPRESS_ABOVE: Final = 64 * 1024
"""Bytes of an entry above which it is stored gzipped, as ``<name>.gz``."""
_LEVEL: Final = 6
"""As the command's own default: 9 takes five times the time for a tenth less."""

SIZE_LIMIT: Final = 1_000_000
"""Bytes that the packed values of one object may have: an API server takes 1 MiB (1,048,576)."""
STORED_LIMIT: Final = 1_400_000
"""Bytes that one object may have in etcd, which takes 1.5 MiB (1,572,864) by default, with room for metadata."""
UNPACKED_LIMIT: Final = 64 * 1024 * 1024
"""Bytes that all entries of one part may have unpacked, so that a small bundle cannot fill a pod's memory."""

_GZIP_SUFFIX: Final = ".gz"
_PER_ENTRY: Final = 16
"""The most bytes that etcd needs for one entry in addition to its name and value."""

_ENTRY_NAME: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
"""What a ConfigMap or Secret takes as a key; a name in it is also a safe file name, but for those of dots alone."""


REFERENCES: Final = ("os.environ/", "oidc/")
"""Beginnings of values that LiteLLM replaces by what they refer to, in any parameter: no such value may reach it."""


class BundleError(Exception):
    """A bundle that cannot be used; the message says which part and why, never a secret value."""


class TooLargeError(BundleError):
    """A bundle does not fit; ``load`` says how many times its size is what fits."""

    def __init__(self, message: str, *, load: float) -> None:
        super().__init__(message)
        self.load = load


class Meta(Contract):
    """``meta.json``: what makes a bundle checkable. ``secrets`` are the entries of the secret part it needs."""

    schema_version: int
    revision: str
    checksums: dict[str, str]
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bundle:
    """``gateway.json`` and ``litellm.yaml`` as bytes, and the values of the secret part by entry name.

    No process of ours reads ``litellm``: it is there for people and for the stock LiteLLM proxy. It is empty, and no
    part of the bundle, where there is no room for it.
    """

    gateway: bytes
    litellm: bytes
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    schema_version: int = SCHEMA

    @property
    def documents(self) -> dict[str, bytes]:
        """The files of the public part beside ``meta.json``."""
        view = {LITELLM_YAML: self.litellm} if self.litellm else {}
        return {GATEWAY_JSON: self.gateway, **view}

    @cached_property
    def meta(self) -> Meta:
        """The bundle's checkable identity; the same content has the same revision. Hashes everything once."""
        checksums = {name: _sha256(data) for name, data in self.documents.items()}
        secrets = tuple(sorted(self.secrets))
        identity = json.dumps([self.schema_version, checksums, secrets], sort_keys=True)
        return Meta(
            schema_version=self.schema_version,
            revision=_sha256(identity.encode())[:16],
            checksums=checksums,
            secrets=secrets,
        )


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle as stored: the entries of the public part (a ConfigMap) and of the secret part (a Secret)."""

    config: Mapping[str, bytes]
    secrets: Mapping[str, bytes] = field(repr=False)


def secret_entry(ref: str, value: bytes) -> str:
    """Name an entry of the secret part by its content, so that a rotated value is a new entry."""
    return f"{ref}.{_sha256(value)[:8]}"


def pack(bundle: Bundle) -> Packed:
    """Encode a bundle deterministically; entries above ``COMPRESS_ABOVE`` bytes are gzipped.

    Raises TooLargeError if a part does not fit, BundleError if an entry has a name that no Secret could hold.
    """
    for name in bundle.secrets:
        _check_name(name)
    meta = bundle.meta.model_dump_json(by_alias=True).encode()
    config = {**bundle.documents, META_JSON: meta}
    packed = Packed(config=_compress(config), secrets=_compress(bundle.secrets))
    loads = {
        "public": max(load(packed.config), _size(config) / UNPACKED_LIMIT),
        "secret": max(load(packed.secrets), _size(bundle.secrets) / UNPACKED_LIMIT),
    }
    part = max(loads, key=lambda name: loads[name])
    if loads[part] > 1:
        raise TooLargeError(f"the {part} part is {loads[part]:.2f} times as large as fits", load=loads[part])
    return packed


def load(entries: Mapping[str, bytes]) -> float:
    """Return how many times the size that fits the packed entries of one object have; up to 1 they fit."""
    stored = sum(stored_size(name, len(data)) for name, data in entries.items())
    return max(_size(entries) / SIZE_LIMIT, stored / STORED_LIMIT)


def stored_size(name: str, size: int) -> int:
    """Return the bytes that etcd needs for an entry. Its name appears twice: managed fields list it as well."""
    return size + 2 * len(name) + _PER_ENTRY


def _size(entries: Mapping[str, bytes]) -> int:
    return sum(map(len, entries.values()))


def unpack(packed: Packed) -> Bundle:
    """Decode and verify a bundle; entries of the secret part that it does not name are left out.

    Raises BundleError for an unknown schema version, a missing entry, a wrong checksum or an impossible name.
    """
    config = _decompress(packed.config)
    if META_JSON not in config:
        raise BundleError(f"{META_JSON} is missing")
    try:
        meta = Meta.model_validate_json(config[META_JSON])
    except ValidationError as error:
        raise BundleError(f"{META_JSON} cannot be read: {error.error_count()} errors") from None
    if meta.schema_version not in (SCHEMA, SCHEMA - 1):
        raise BundleError(f"schema version {meta.schema_version} is not supported, {SCHEMA} is")
    for name in (GATEWAY_JSON, *([LITELLM_YAML] if LITELLM_YAML in meta.checksums else [])):
        if name not in config:
            raise BundleError(f"{name} is missing")
        if meta.checksums.get(name) != _sha256(config[name]):
            raise BundleError(f"{name} does not match its checksum")
    stored = _decompress(needed(packed, meta).secrets)
    for entry in meta.secrets:
        _check_name(entry)
        if entry not in stored:
            raise BundleError(f"entry {entry} of the secret part is missing")
        if entry != secret_entry(entry.rpartition(".")[0], stored[entry]):
            raise BundleError(f"entry {entry} of the secret part does not match its name")
    bundle = Bundle(
        gateway=config[GATEWAY_JSON],
        litellm=config[LITELLM_YAML] if LITELLM_YAML in meta.checksums else b"",
        secrets=stored,
        schema_version=meta.schema_version,
    )
    if bundle.meta.revision != meta.revision:
        raise BundleError(f"revision {meta.revision} does not match the content")
    return bundle


def needed(packed: Packed, meta: Meta) -> Packed:
    """The entries of a packed bundle that ``unpack`` reads; what else its objects hold is left out."""

    def kept(entries: Mapping[str, bytes], names: Collection[str]) -> dict[str, bytes]:
        return {name: data for name, data in entries.items() if name.removesuffix(_GZIP_SUFFIX) in names}

    return Packed(
        config=kept(packed.config, (*meta.checksums, META_JSON)), secrets=kept(packed.secrets, frozenset(meta.secrets))
    )


def _check_name(entry: str) -> None:
    if not _ENTRY_NAME.fullmatch(entry) or not entry.strip("."):
        raise BundleError(f"entry {entry!r} of the secret part has a name that no Secret can hold")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _compress(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    stored: dict[str, bytes] = {}
    for name, data in sorted(entries.items()):
        if len(data) > COMPRESS_ABOVE:
            stored[name + _GZIP_SUFFIX] = gzip.compress(data, compresslevel=_LEVEL, mtime=0)
        else:
            stored[name] = data
    return stored


def _decompress(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    plain: dict[str, bytes] = {}
    room = UNPACKED_LIMIT
    for name, data in sorted(entries.items()):
        if not name.endswith(_GZIP_SUFFIX):
            plain[name] = data
            continue
        plain[name.removesuffix(_GZIP_SUFFIX)] = unpacked = _gunzip(name, data, room)
        room -= len(unpacked)
    return plain


def _gunzip(name: str, data: bytes, room: int) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        # One byte more than there is room for: zlib takes a limit of zero for none.
        unpacked = decoder.decompress(data, room + 1)
    except zlib.error:
        raise BundleError(f"{name} is not a gzip stream") from None
    if len(unpacked) > room:
        raise BundleError(f"{name} unpacks to more than the {UNPACKED_LIMIT} bytes that a part may have")
    if not decoder.eof:
        raise BundleError(f"{name} is cut off")
    if decoder.unused_data:
        raise BundleError(f"{name} goes on after its end")
    return unpacked
