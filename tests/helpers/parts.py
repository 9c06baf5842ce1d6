"""Parts that tests need and a machine may lack: skipped there, unless the environment says that they must be there."""

import os

import pytest

#: Names of parts, with spaces or commas between: a CI that provides them sets this, so that losing one fails.
REQUIRE_VARIABLE = "AGENTDISTILL_REQUIRE"


def needs(part: str, there: bool, reason: str) -> pytest.MarkDecorator:
    """Skip where the part is missing; where it is required all the same, the tests run and fail at it."""
    required = part in os.environ.get(REQUIRE_VARIABLE, "").replace(",", " ").split()
    return pytest.mark.skipif(not there and not required, reason=reason)
