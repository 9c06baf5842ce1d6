"""Sandboxes that are started once for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from sandbox_harness import LIMITS, SPARES, host, leftovers

from agentdistill.sandbox import Sandbox

# A property holds or not; how fast an example runs is the machine's affair.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def namespaced() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, spares=SPARES) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def plain() -> Iterator[Sandbox]:
    """As in a container that allows no user namespaces."""
    with Sandbox(LIMITS, namespaces=False, spares=0) as sandbox:
        yield sandbox


@pytest.fixture(params=["namespaced", "plain"])
def box(request: pytest.FixtureRequest) -> Sandbox:
    return request.getfixturevalue(request.param)


@pytest.fixture
def unharmed(box: Sandbox) -> Iterator[None]:
    """After the test the host is as before, the next session works, and no process and no file is left."""
    before = host()
    yield
    with box.session() as session:
        assert session.run("x = 1\nx + 1").value == "2"
    assert leftovers(box) == ([], [])
    assert host() == before
