"""The tools of a release: notes, requirements, bill of materials, the chart with the published images."""

import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml
from tools.release import chart, dist, image, notes, place, sbom

HASH: Final = "--hash=sha256:" + "0" * 64
DIGEST: Final = "sha256:" + "a" * 64
CHANGELOG: Final = """# Changelog

## [Unreleased]

## [0.2.0] - 2027-01-02

### Added

- Two.

## [0.1.0] - 2026-12-01

- One.
"""


def test_notes_are_the_section_of_the_version() -> None:
    assert notes.section(CHANGELOG, "0.2.0") == "### Added\n\n- Two."
    assert notes.section(CHANGELOG, "0.1.0") == "- One."


@pytest.mark.parametrize(
    ("text", "version", "complaint"),
    [
        (CHANGELOG, "0.3.0", r"no section for \[0.3.0\] \(sections: Unreleased, 0.2.0, 0.1.0\)"),
        (CHANGELOG, "0.1", "no section"),
        (CHANGELOG, "Unreleased", "says nothing about"),
        (CHANGELOG + "\n## [0.1.0]\n", "0.1.0", "two sections"),
        ("", "0.1.0", r"\(sections: none\)"),
    ],
)
def test_a_version_without_notes_is_an_error_that_says_what_to_write(text: str, version: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        notes.section(text, version)


def test_notes_begin_with_the_values_that_verify_this_release_and_no_other() -> None:
    text = notes.notes(CHANGELOG, version="0.2.0", repository="Acme/gateway", registry="ghcr.io/acme/gateway")
    assert text.index("```sh") < text.index("### Added")
    script = text.split("```sh\n")[1].split("```")[0] + "echo $REGISTRY $IDENTITY; printf '%s\\n' $SIGNER"
    said = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout.splitlines()
    workflow = "https://github.com/Acme/gateway/.github/workflows/release.yml@refs/tags/v0.2.0"
    assert said == [
        f"ghcr.io/acme/gateway {workflow}",
        f"--certificate-identity={workflow}",
        "--certificate-oidc-issuer=https://token.actions.githubusercontent.com",
    ]


def test_the_docs_show_the_values_as_the_notes_have_them() -> None:
    page = (place.ROOT / "docs" / "how-to" / "verifying-a-release.md").read_text()
    assert notes.values("0.1.0", "OWNER/claude-gateway", "ghcr.io/OWNER/claude-gateway") in page


def test_links_of_the_changelog_lead_from_the_notes_to_the_tag() -> None:
    changelog = "## [1.0.0]\n\n- [Soak](docs/soak.md), [site](https://example.com), [below](#below).\n"
    text = notes.notes(changelog, version="1.0.0", repository="acme/gateway", registry="r")
    tree = "https://github.com/acme/gateway/blob/v1.0.0"
    assert f"- [Soak]({tree}/docs/soak.md), [site](https://example.com), [below](#below)." in text
    assert f"({tree}/docs/how-to/verifying-a-release.md)" in text


@pytest.mark.parametrize("publish", [chart.main, dist.main, image.main, notes.main])
def test_a_tag_of_another_version_publishes_nothing(
    publish: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: dict[object, list[str]] = {chart.main: [DIGEST, DIGEST], image.main: ["release", "proxy"]}
    monkeypatch.setattr("sys.argv", ["release", *arguments.get(publish, [])])
    for name, value in {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v0.0.9", "REGISTRY": "r"}.items():
        monkeypatch.setenv(name, value)
    assert publish() == 1
    assert f"the tag is v0.0.9, but pyproject.toml has version {place.version()}" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "name"), [("tag", f"v{place.version()}"), ("branch", "main")])
def test_the_tag_of_this_version_and_no_tag_are_published(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REF_TYPE", kind)
    monkeypatch.setenv("GITHUB_REF_NAME", name)
    place.check_tag()


def test_requirements_have_the_pins_of_all_locks_once_and_our_wheels_by_hash() -> None:
    pin = f" \\\n    {HASH}\n"
    joint = f"a==1 ; python_version < '4'{pin}    # via b\nb==2{pin}only-for-tests==3{pin}"
    text = dist.requirements(joint, [f"a==1 \\\n    {HASH}\n", "a==1\nb==2\n"], wheels={"ours.whl": "1" * 64})
    assert text.splitlines() == [
        *("a==1 ; python_version < '4' \\", f"    {HASH}", "b==2 \\", f"    {HASH}"),
        *("./ours.whl \\", "    --hash=sha256:" + "1" * 64),
    ]


def test_what_is_published_is_what_serve_needs() -> None:
    for subject, own in sbom.OWN.items():
        found = sbom.merged(sbom.packages((place.ROOT / path).read_text()) for path in sbom.LOCKS[subject])
        assert not set(own) & set(found)
    names = {
        tomllib.loads((place.ROOT / member / "pyproject.toml").read_text())["project"]["name"]
        for member in place.MEMBERS
    }
    assert names == set(sbom.OWN["python"])


def test_the_docs_inject_every_package_of_ours_into_pipx() -> None:
    page = (place.ROOT / "docs" / "how-to" / "verifying-a-release.md").read_text()
    (injected,) = re.findall(r"pipx inject [^\n]* claude-gateway \\\n *([a-z -]+)\n", page)
    required = {"claude-gateway", "claude-gateway-runtime"}  # installed before, and required by the others
    assert {*injected.split(), *required} == set(sbom.OWN["python"])


def test_two_folders_differ_in_a_byte_or_a_file(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        (folder / "same").write_bytes(b"same")
        (folder / "other").write_bytes(folder.name.encode())
    (second / "more").write_bytes(b"")
    assert dist.differences(first, second) == ["more", "other"]
    assert place.checksums(first) == "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("other", b"1"), ("same", b"same"))
    )


def test_a_lock_gives_the_packages_of_linux_and_who_requires_them() -> None:
    lock = (
        f"a==1 \\\n    {HASH}\n    # via\n    #   -c locks/all.txt\n    #   ours (x/pyproject.toml)\n    #   b\n"
        f"b_c==2 ; sys_platform == 'win32' \\\n    {HASH}\n    # via a\nb==3 ; sys_platform == 'linux' \\\n    {HASH}\n"
    )
    assert sbom.packages(lock) == {
        "a": sbom.Package("a", "1", frozenset({"ours", "b"})),
        "b": sbom.Package("b", "3"),
    }


@pytest.mark.parametrize("subject", sbom.LOCKS)
def test_a_bill_of_materials_is_whole_and_the_same_each_time(subject: str) -> None:
    bill = sbom.of(subject)
    assert sbom.text(bill) == sbom.text(sbom.of(subject))
    known = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    refs = [entry["ref"] for entry in bill["dependencies"]]
    assert len(refs) == len(set(refs))
    assert {need for entry in bill["dependencies"] for need in entry["dependsOn"]} | set(refs) <= known
    assert {"claude-gateway", "aiohttp"} <= {component["name"] for component in bill["components"]}
    needed = {need for entry in bill["dependencies"] for need in entry["dependsOn"]}
    assert known - needed == {bill["metadata"]["component"]["bom-ref"]}


def test_a_bill_of_an_image_names_its_base_by_digest() -> None:
    base = next(c for c in sbom.of("proxy")["components"] if c["type"] == "container")
    name, digest = place.base_image().split("@")
    assert f"{base['name']}:{base['version']}" == name
    assert digest.replace(":", "%3A") in base["purl"]


def test_the_base_is_the_tag_of_the_dockerfiles_with_a_digest() -> None:
    name, _, digest = place.base_image().partition("@")
    assert digest.startswith("sha256:")
    for dockerfile in place.DOCKERFILES.values():
        assert f"ARG PYTHON_IMAGE={name}\n" in (place.ROOT / dockerfile).read_text()


def test_an_image_is_built_with_the_times_of_the_commit_and_nothing_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDX", "buildx --builder mine")
    command = image.Build("proxy", name="r/proxy:1", platforms="linux/arm64", push=True, cached=False).command(
        Path("m")
    )
    assert command[:4] == ["buildx", "--builder", "mine", "build"]
    assert {"--no-cache", "--provenance=false", "--sbom=false", "linux/arm64"} <= set(command)
    assert f"SOURCE_DATE_EPOCH={place.commit_time()}" in command
    assert f"PYTHON_IMAGE={place.base_image()}" in command
    output = command[command.index("--output") + 1]
    assert output == "type=image,oci-mediatypes=true,rewrite-timestamp=true,name=r/proxy:1,push=true"


def test_the_published_chart_names_the_published_images() -> None:
    pins = {"proxy": DIGEST, "operator": DIGEST.replace("aa", "bb")}
    values = yaml.safe_load(
        chart.pinned_values((place.CHART / "values.yaml").read_text(), registry="r.example/g", digests=pins)
    )
    assert values["images"]["registry"] == "r.example/g"
    assert {name: (values["images"][name]["repository"], values["images"][name]["digest"]) for name in pins} == {
        name: (name, digest) for name, digest in pins.items()
    }
    before = yaml.safe_load((place.CHART / "values.yaml").read_text())
    for each in (values, before):
        each["images"] = {name: value for name, value in each["images"].items() if name not in ("registry", *pins)}
    assert values == before
    metadata = yaml.safe_load(
        chart.pinned_metadata((place.CHART / "Chart.yaml").read_text(), registry="r.example/g", digests=pins)
    )
    listed = {each["image"] for each in yaml.safe_load(metadata["annotations"]["artifacthub.io/images"])}
    assert listed == {f"r.example/g/{name}@{digest}" for name, digest in pins.items()}


@pytest.mark.parametrize("digest", ["", "latest", "sha256:abc"])
def test_a_chart_without_a_digest_is_not_published(digest: str) -> None:
    with pytest.raises(ValueError, match="is not the digest of proxy"):
        chart.pinned_values((place.CHART / "values.yaml").read_text(), registry="r", digests={"proxy": digest})


def test_a_registry_has_lower_case_whatever_the_repository_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY", "ghcr.io/Acme/Gateway")
    assert place.registry() == "ghcr.io/acme/gateway"


def test_a_chart_that_changed_its_form_is_noticed() -> None:
    with pytest.raises(ValueError, match="has 0 places like"):
        chart.pinned_values("images: {}\n", registry="r", digests={})


def test_images_with_the_claude_code_cli_are_not_published() -> None:
    for name, dockerfile in place.DOCKERFILES.items():
        assert "claude-code" not in (place.ROOT / dockerfile).read_text().split("LABEL")[0].replace("# ", ""), name


def test_artifact_hub_lists_every_kind_of_this_tree() -> None:
    annotations = yaml.safe_load((place.CHART / "Chart.yaml").read_text())["annotations"]
    listed = {(each["kind"], each["name"]) for each in yaml.safe_load(annotations["artifacthub.io/crds"])}
    crds = [yaml.safe_load(file.read_text()) for file in (place.ROOT / "crds").glob("*.yaml")]
    assert listed == {(crd["spec"]["names"]["kind"], crd["metadata"]["name"]) for crd in crds}
    examples = {each["kind"] for each in yaml.safe_load(annotations["artifacthub.io/crdsExamples"])}
    assert examples == {kind for kind, _ in listed}


def test_renovate_reads_every_place_with_a_pin() -> None:
    config = json.loads((place.ROOT / "renovate.json").read_text())
    assert "config:best-practices" in config["extends"]
    tracked = subprocess.run(["git", "ls-files"], cwd=place.ROOT, capture_output=True, text=True, check=True).stdout
    assert "images/base.txt" in tracked
    patterns = json.dumps(config["customManagers"])
    assert "images/base" in patterns
    assert "kindest/node" in patterns
