"""What every part of the contract is."""

from claude_gateway.contract.report import PodReport


def test_values_are_not_kept_for_later_documents() -> None:
    """A cache of values grows with every revision, and keeps names of revisions that are long gone."""
    document = '{"wanted": "a-revision-of-long-ago"}'
    first, second = (PodReport.model_validate_json(document) for _ in range(2))
    assert first == second
    assert first.wanted is not second.wanted
