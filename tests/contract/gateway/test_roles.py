"""Roles at AWS: each caller has a session with tags of its own, on every lane, and the keys stay out of answers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Upstream, gateway, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Attribution, Aws, Role, Wire

ALICE, BOB = "cgw_key-of-alice", "cgw_key-of-bob"
CLIENTS = {ALICE: Client(name="ns/alice"), BOB: Client(name="ns/bob")}
KEYS = b'{"accessKeyId": "AKIDBASE", "secretAccessKey": "base/+"}'
BEARER = b'{"bearerToken": "aws-bearer"}'
ENTRY, BEARER_ENTRY = secret_entry("ns.aws", KEYS), secret_entry("ns.bearer", BEARER)
ARN = "arn:aws:iam::123456789012:role/claude"
ROLE = Role(arn=ARN, external_id="outside", session_tags=(Attribution.CLIENT,))
BODY = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "one"}]}
ANSWER = whole(b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}')
DENIED = (
    b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    b"<Code>AccessDenied</Code><Message>the words of AWS</Message></Error></ErrorResponse>"
)


def session(name: str) -> Reply:
    """Return what the token service answers: keys with this name, for an hour."""
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>AKIDSESSION{name}</AccessKeyId><SecretAccessKey>secret-{name}</SecretAccessKey>"
        f"<SessionToken>token-{name}</SessionToken><Expiration>{ends}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    return whole(body.encode(), headers="content-type: text/xml\r\n")


@asynccontextmanager
async def serving(
    sts: tuple[Reply, ...], *replies: Reply, role: Role = ROLE, entry: str = ENTRY
) -> AsyncIterator[tuple[Gateway, Upstream, Upstream]]:
    """A gateway whose only route leads to Bedrock in a role; yields it, the model and the token service."""
    async with upstream(*replies) as model, upstream(*sts) as tokens:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_STS", tokens.url)
            there = target(
                wire=Wire.BEDROCK,
                base_url=model.url,
                aws=Aws(region="eu-west-1", role=role),
                secret=entry,
                model="us.anthropic.claude-x",
            )
            secrets = {ENTRY: KEYS, BEARER_ENTRY: BEARER}
            async with gateway(route("*", targets=[there]), secrets=secrets, clients=CLIENTS) as gw:
                yield gw, model, tokens


async def ask(gw: Gateway, key: str = ALICE) -> tuple[int, str]:
    answer = await gw.post("/v1/messages", BODY, headers={"authorization": f"Bearer {key}"})
    return answer.status, (await answer.read()).decode()


async def test_each_caller_has_a_session_of_its_own_which_is_kept() -> None:
    replies = (ANSWER, ANSWER, ANSWER)
    async with serving((session("A"), session("B")), *replies) as (gw, model, tokens):
        assert [(await ask(gw, key))[0] for key in (ALICE, BOB, ALICE)] == [200, 200, 200]
    asked = [parse_qs(seen.body.decode()) for seen in tokens.seen]
    assert [form["Tags.member.1.Value"] for form in asked] == [["ns/alice"], ["ns/bob"]]
    assert asked[0]["Tags.member.1.Key"] == ["client"]
    assert (asked[0]["RoleArn"], asked[0]["ExternalId"]) == ([ARN], ["outside"])
    assert asked[0]["RoleSessionName"] == ["ns_alice"]
    assert "Credential=AKIDBASE/" in str(tokens.seen[0].header("authorization"))
    assert "/eu-west-1/sts/" in str(tokens.seen[0].header("authorization"))
    signed = [(seen.header("authorization"), seen.header("x-amz-security-token")) for seen in model.seen]
    assert [token for _, token in signed] == ["token-A", "token-B", "token-A"]
    assert ["Credential=AKIDSESSIONA/" in str(value) for value, _ in signed] == [True, False, True]


async def test_without_tags_all_callers_share_one_session() -> None:
    async with serving((session("A"),), ANSWER, ANSWER, role=Role(arn=ARN)) as (gw, _, tokens):
        assert [(await ask(gw, key))[0] for key in (ALICE, BOB)] == [200, 200]
    (form,) = (parse_qs(seen.body.decode()) for seen in tokens.seen)
    assert form["RoleSessionName"] == ["claude-gateway"]
    assert not {"Tags.member.1.Key", "ExternalId"} & form.keys()


async def test_a_session_that_bedrock_rejects_is_replaced_once() -> None:
    rejected = whole(
        b'{"message": "The security token included in the request is expired"}',
        status="403 Forbidden",
        headers="content-type: application/json\r\nx-amzn-errortype: ExpiredTokenException\r\n",
    )
    async with serving((session("A"), session("B")), rejected, ANSWER) as (gw, model, _):
        assert (await ask(gw))[0] == 200
    assert [seen.header("x-amz-security-token") for seen in model.seen] == ["token-A", "token-B"]


@pytest.mark.parametrize("entry", [ENTRY, BEARER_ENTRY])
async def test_a_role_that_cannot_be_assumed_is_an_error_without_the_words_of_aws(entry: str) -> None:
    denied = whole(DENIED, status="403 Forbidden", headers="content-type: text/xml\r\n")
    async with serving((denied, denied), entry=entry) as (gw, model, _):
        status, text = await ask(gw)
        (line,) = await gw.records()
    assert status >= 500
    assert model.seen == []
    for secret in ("the words of AWS", "AKIDBASE", "base/+", "aws-bearer"):
        assert secret not in text + json.dumps(line)


async def test_the_keys_of_a_session_are_masked_where_an_upstream_repeats_them() -> None:
    answer = whole(b'{"message": "token-A of AKIDSESSIONA is odd"}', status="400 Bad Request")
    async with serving((session("A"),), answer) as (gw, _, _):
        status, text = await ask(gw)
    assert status == 400
    assert "token-A" not in text
    assert "AKIDSESSIONA" not in text
