"""``make release-notes VERSION=X.Y.Z``: what CHANGELOG.md says of a version, and how to verify its files.

``GITHUB_REPOSITORY`` and ``REGISTRY`` name where the release is published; without them the notes have placeholders.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final

from tools.release import place

UNRELEASED: Final = "Unreleased"
_HEADING: Final = re.compile(r"^## \[(?P<version>[^\]\n]+)\][^\n]*$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?!https?://|#)")


def section(changelog: str, version: str) -> str:
    """Return the text below a version's heading.

    Raises:
        ValueError: the version has no section, two of them, or an empty one.
    """
    headings = list(_HEADING.finditer(changelog))
    found = [index for index, heading in enumerate(headings) if heading["version"] == version]
    if len(found) != 1:
        there = ", ".join(heading["version"] for heading in headings) or "none"
        count = "no section" if not found else "two sections"
        raise ValueError(
            f"CHANGELOG.md has {count} for [{version}] (sections: {there}); name it `## [{version}] - DATE`"
        )
    ends = [*(heading.start() for heading in headings[1:]), len(changelog)]
    text = changelog[headings[found[0]].end() : ends[found[0]]].strip()
    if not text:
        raise ValueError(f"CHANGELOG.md says nothing about [{version}]; write what changed for users")
    return text


def values(version: str, repository: str, registry: str) -> str:
    """Return the commands that name a release for those of docs/how-to/verifying-a-release.md."""
    return f"""\
export VERSION={version} REPOSITORY={repository} REGISTRY={registry}
export IDENTITY="https://github.com/$REPOSITORY/.github/workflows/release.yml@refs/tags/v$VERSION"
export SIGNER="--certificate-identity=$IDENTITY --certificate-oidc-issuer=https://token.actions.githubusercontent.com"
"""


def notes(changelog: str, *, version: str, repository: str, registry: str) -> str:
    """Return the notes of a release as Markdown. Raises ValueError like ``section``."""
    tree = f"https://github.com/{repository}/blob/v{version}/"
    # A link of the changelog starts at its folder, and the notes are shown elsewhere.
    changes = _LINK.sub(f"]({tree}", section(changelog, version))
    return f"""\
The values with which you [verify and install this release]({tree}docs/how-to/verifying-a-release.md):

```sh
{values(version, repository, registry)}```

{changes}
"""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Print the notes of a release.")
    parser.add_argument("version", nargs="?", default=place.version(), help="default: the version of this tree")
    version = parser.parse_args().version.removeprefix("v")
    repository = os.environ.get("GITHUB_REPOSITORY") or "OWNER/claude-gateway"
    registry = place.registry() if os.environ.get("REGISTRY") else f"ghcr.io/{repository.lower()}"
    changelog = Path(place.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    try:
        place.check_tag()
        print(notes(changelog, version=version, repository=repository, registry=registry))
    except ValueError as error:
        print(f"release-notes: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
