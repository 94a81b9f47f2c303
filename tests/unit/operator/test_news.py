"""What rings the doorbell: users' changes, and not our own writes."""

import pytest
from tests.unit.operator.test_settings import settings

from claude_gateway.plan.status.stored_status import Release
from claude_gateway_operator.handlers import Forever, Sieve
from claude_gateway_operator.object_watch import Known, subjects
from claude_gateway_runtime import kube


def test_the_sieve_lets_through_what_users_changed() -> None:
    sieve = Sieve(Release("gateway", "cg"))
    first = {"metadata": {"uid": "a", "generation": 1}}
    assert sieve.news(None, first)
    assert not sieve.news("MODIFIED", first)
    assert sieve.news("MODIFIED", {"metadata": {"uid": "a", "generation": 2}})
    assert sieve.news("DELETED", first)
    assert sieve.news("ADDED", first), "one of that name was made again"


def test_the_sieve_hears_of_other_releases_and_not_of_ourselves() -> None:
    def written(**generations: int) -> dict[str, object]:
        entries = [
            {"namespace": "gateway", "name": name, "observedGeneration": seen} for name, seen in generations.items()
        ]
        return {"metadata": {"uid": "a", "generation": 1}, "status": {"gateways": entries, "observedGeneration": 1}}

    sieve = Sieve(Release("gateway", "cg"))
    assert sieve.news("ADDED", written())
    assert not sieve.news("MODIFIED", written(cg=1))
    assert not sieve.news("MODIFIED", written(cg=2))
    assert sieve.news("MODIFIED", written(cg=2, other=1))
    assert not sieve.news("MODIFIED", written(cg=3, other=1))
    assert sieve.news("MODIFIED", written(cg=3))


def test_what_we_wrote_is_no_news() -> None:
    known = Known()
    written = {"metadata": {"uid": "a", "resourceVersion": "5"}}
    known.note(written)
    assert not known.news(kube.Event("MODIFIED", written, "5"))
    assert known.news(kube.Event("MODIFIED", {"metadata": {"uid": "a", "resourceVersion": "6"}}, "6"))
    assert not known.news(kube.Event("BOOKMARK", {"metadata": {"resourceVersion": "9"}}, "9"))
    assert known.news(kube.Event("DELETED", written, "5"))
    assert known.news(kube.Event("ADDED", written, "5"))


def test_pauses_never_end() -> None:
    pauses = iter(Forever())
    assert [next(pauses) for _ in range(100)][-1] == 20.0
    assert not hasattr(Forever(), "__len__"), "Kopf counts attempts of what has a length"


def test_only_names_are_asked_of_single_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    for subject in subjects(settings(monkeypatch, WATCH_NAMESPACES="team")):
        assert subject.query
        if "/secrets" in subject.collection:
            assert subject.metadata_only
