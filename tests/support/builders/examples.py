"""How many examples Hypothesis tries: all of them in CI, a few during development.

``HYPOTHESIS_PROFILE`` is ``ci`` or ``dev``; without it, ``CI`` selects ``ci`` and its absence ``dev``.
"""

import os
from typing import Final

from hypothesis import settings

_FEW: Final = 20

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
"""The selected profile; an unknown name fails at start."""

settings.register_profile("ci", deadline=None)
settings.register_profile("dev", deadline=None, max_examples=_FEW)


def load_profile() -> None:
    """Makes the selected profile the default of every property test. Raises InvalidArgument for an unknown name."""
    settings.load_profile(PROFILE)


def examples(full: int) -> settings:
    """Returns the settings of a test that needs ``full`` examples in CI, and few of them elsewhere."""
    return settings(max_examples=full if PROFILE == "ci" else min(full, _FEW), deadline=None)
