"""Why a pod has no AWS credential: whether it is worth trying again."""

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from claude_gateway_proxy.gateway.identities.aws import lack_of
from claude_gateway_proxy.gateway.identities.renewed import Lack


def said(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "AssumeRole")


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        ConnectTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        said("Throttling", 400),
        said("ThrottlingException", 400),
        said("InternalFailure", 500),
        said("ServiceUnavailable", 503),
    ],
)
def test_an_issuer_that_does_not_answer_may_do_so_later(error: Exception) -> None:
    assert lack_of(error) is Lack.UNANSWERED


@pytest.mark.parametrize(
    "error",
    [
        said("AccessDenied", 403),
        said("ExpiredToken", 400),
        NoCredentialsError(),
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        BotoCoreError(),
        FileNotFoundError("token"),
    ],
)
def test_what_somebody_must_change_is_not_tried_again(error: Exception) -> None:
    assert lack_of(error) is Lack.MISSING
