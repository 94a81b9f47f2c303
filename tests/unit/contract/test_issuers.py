"""Where the keys of issuers may be fetched."""

import pytest

from claude_gateway.contract import issuers
from claude_gateway.contract.policy import Egress


@pytest.mark.parametrize(
    "url", ["ftp://x.example", "file:///etc/passwd", "https://", "https://u:p@x.example", "x", "https://x.example:0"]
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    assert issuers.refusal(url, Egress(loopback=True)) == "it is not a plain http or https URL"


@pytest.mark.parametrize("url", ["https://[::1", "https://1.2.3.4.5", "https://x.example:99999"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert issuers.refusal(url, Egress(loopback=True)) == "it is not a valid URL"


def test_private_networks_are_closed_for_keys_and_open_for_models() -> None:
    assert issuers.refusal("https://10.1.2.3/keys", Egress()) == "it is a private address"
    assert issuers.public(Egress(hosts=("x",))) == Egress(hosts=("x",), private=False)
    assert "private" not in Egress(private=False).model_dump()
