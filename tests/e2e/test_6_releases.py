"""Two releases in two namespaces, and one that is upgraded, rolled back and tested by Helm."""

from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release
from tests.support import kubecluster, kubepods


def test_two_releases_share_nothing_but_the_kinds(gateway: Gateway) -> None:
    kube = gateway.kube
    other = Release(kube, name="other", namespace="second")
    other.install("proxy.replicas=1")
    second = Gateway.furnish(other, client="bob", model="second-claude")
    gateway.secrets.extend([*second.secrets, *other.own_secrets])
    model = gateway.targets[0].model

    with gateway.load(*gateway.steady()) as load:
        once = Group("own", other.url, model, rounds=1, workers=1)
        crossed = Group("crossed", gateway.release.url, model, rounds=1, workers=1)
        with second.load(once, crossed) as asked:
            asked.finish()
        found = {answer.group: answer for answer in asked.answers}
        assert (found["own"].served, found["own"].problem) == ("second-claude", None)
        assert (found["crossed"].problem or "").startswith("status 401")
        other.helm("uninstall", "--wait")
        load.wait_for_more(40)
    assert load.problems() == []
    assert {kube.exists("crd", namespace="", name=name) for name in kubecluster.CRDS} == {True}
    kube.kubectl("delete", "namespace", other.namespace)
    kube.kubectl("delete", "pod", second.pod, "-n", kubepods.CLIENTS)


def test_an_upgrade_and_its_rollback_lose_nothing(gateway: Gateway) -> None:
    release = gateway.release
    pods = [{pod.uid for pod in release.pods()}]
    with gateway.load(*gateway.steady()) as load:
        release.upgrade("proxy.podAnnotations.example\\.com/e2e=upgraded")
        pods.append({pod.uid for pod in release.pods()})
        load.wait_for_more(20)
        release.helm("rollback", "--wait", "--timeout", "180s")
        pods.append({pod.uid for pod in release.pods()})
        load.wait_for_more(40)
    assert load.problems() == []
    assert not pods[0] & pods[1]
    assert not pods[1] & pods[2]


def test_helm_can_test_it(gateway: Gateway) -> None:
    assert "Phase:          Succeeded" in gateway.release.helm("test")
