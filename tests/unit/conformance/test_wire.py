"""What the suite reads and signs with, against others that know the formats."""

import base64
import json
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from claude_gateway.conformance import frames, sse
from claude_gateway.conformance.client import Piece
from claude_gateway.conformance.requirement import Failed, shorten
from claude_gateway.conformance.rsa import private_key
from claude_gateway.conformance.sigv4 import sign
from claude_gateway_scripted import eventstream

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def test_signatures_are_those_of_botocore() -> None:
    path, body = "/bedrock/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fabc/invoke", b'{"a":1}'
    ours = dict(sign(host="h:4000", path=path, body=body, key_id="AKIA", secret="s", now=NOW))
    headers = {name: value for name, value in ours.items() if name != "authorization"}
    request = AWSRequest("POST", f"http://h:4000{path}", headers=headers, data=body)
    signer = SigV4Auth(Credentials("AKIA", "s"), "bedrock", "us-east-1")
    request.context["timestamp"] = ours["x-amz-date"]
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert ours["authorization"].rpartition("=")[2] == wanted


def test_frames_in_any_pieces_are_read_and_wrong_checksums_seen() -> None:
    inner = json.dumps({"type": "ping"}).encode()
    payload = json.dumps({"bytes": base64.b64encode(inner).decode()}).encode()
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    frame = eventstream.frame(headers, payload) * 2
    for size in (1, 7, len(frame)):
        pieces = [Piece(0.0, frame[at : at + size]) for at in range(0, len(frame), size)]
        assert [(found.headers, found.payload) for found in frames.frames(pieces)] == [(headers, payload)] * 2
    for at in (0, 9, 40, len(frame) - 1):
        broken = bytearray(frame)
        broken[at] ^= 1
        with pytest.raises(Failed):
            frames.frames([Piece(0.0, bytes(broken))])
    with pytest.raises(Failed, match="after the last"):
        frames.frames([Piece(0.0, frame[:-1])])


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_events_in_any_pieces_are_read_to_their_last_character(size: int) -> None:
    raw = 'event: a\r\ndata: {"x":"\u2028é"}\r\n\r\n: comment\n\ndata: 1\ndata: 2\n\nevent: cut\n'.encode()
    found = sse.events(Piece(float(at), raw[at : at + size]) for at in range(0, len(raw), size))
    assert [(event.name, event.data) for event in found] == [("a", '{"x":"\u2028é"}'), ("", "1\n2")]


def test_the_throwaway_key_is_one() -> None:
    key = load_pem_private_key(private_key().encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048


def test_evidence_is_one_short_line() -> None:
    text = shorten("a\nb " * 1000)
    assert "\n" not in text
    assert len(text) < 400
