"""Content that a model cannot take at all: images, a system's turn, JSON of a schema. Words take its place."""

from typing import Final

from claude_gateway_proxy.translation import stand_ins
from claude_gateway_proxy.translation.refusal import LACKS, REFUSED, Repair, pattern

_FORMAT: Final = pattern(
    r"\bresponse[_ ]?format\b|\bjson[_ ]?(schema|object|mode)\b|\bstructured outputs?\b|\btext\.format"
)
_WITH_OTHERS: Final = pattern(r"\btools?\b|\bfunctions?\b|\bstream|together|combin|\bwith reasoning|invalid schema")
_IMAGES: Final = pattern(
    r"\bno endpoints found that support image"
    r"|\bunknown variant [`'\"]?image_url|\bat most 0 image|\brequired for image input|\bnot a multi-?modal model"
    r"|\b(image_url|images?|vision)\b.{0,80}?\b(not|n[o']t|only)( yet| currently)? (support|available|allowed|enabled)"
    r"|\b(image_url|images?|vision)\b.{0,80}?\bunsupported\b|\bunsupported\b.{0,40}?\b(image_url|images?|vision)\b"
    r"|\b(not|n[o']t)( yet| currently)? (support|accept|allow)\w* .{0,40}?\b(image_url|images?|vision|multi-?modal)\b"
    r"|\bmessages?\b.{0,40}\bcontent\b.{0,40}\bmust be a string\b"
)
_ONE_IMAGE: Final = pattern(
    r"\b(format|size|dimensions?|resolution|base64|decode|download|fetch|corrupt\w*)\b"
    r"|\b(image|media|mime)[ _/]types?\b|\btoo (large|many|big)\b"
)
"""Words for what is wrong with one image, of a model that sees others."""

_SYSTEM: Final = pattern(
    r"\b(system|developer)['\"`]? (role|instructions?|messages?|prompts?)\b.{0,40}\b(not|n[o']t|unsupported)\b"
    r"|(does not|doesn't) support ['\"`]?(system|developer)\b"
    r"|\b(unexpected|unsupported|invalid) role:? ['\"`]?(system|developer)\b"
)


def refuses_images(words: str) -> bool:
    """Return whether a model takes no images at all."""
    return _IMAGES.search(words) is not None and _ONE_IMAGE.search(words) is None


def of_content(words: str) -> list[Repair]:
    """Return what puts words in the place of what a model cannot take."""
    found: list[Repair] = []
    if _FORMAT.search(words) and REFUSED.search(words):
        lasting = LACKS.search(words) is not None and _WITH_OTHERS.search(words) is None
        found.append(Repair("schema", stand_ins.with_described_schema, lasting=lasting, worded=True))
        found.append(Repair("format", stand_ins.with_described_json, lasting=lasting, worded=True))
    if _SYSTEM.search(words):
        found.append(Repair("system", stand_ins.without_system, lasting=True, worded=True))
    if refuses_images(words):
        found.append(Repair("images", stand_ins.without_images, lasting=True, worded=True))
    return found
