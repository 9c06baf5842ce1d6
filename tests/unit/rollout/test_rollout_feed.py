"""How many episodes a call holds, and how many calls an actor has open."""

import pytest

from agentdistill.config import RolloutConfig
from agentdistill.rollout.feed import portions


@pytest.mark.parametrize("in_flight", [1, 8, 64, 512])
@pytest.mark.parametrize("num_missing", [1, 7, 64, 5_000, 100_000, 10_000_000])
@pytest.mark.parametrize("actors", [1, 2, 8])
def test_an_actor_can_always_fill_its_slots_or_has_its_share(num_missing: int, in_flight: int, actors: int) -> None:
    sizes = portions(num_missing, RolloutConfig(in_flight=in_flight, actors=actors))
    assert sizes.rows * sizes.calls >= min(in_flight, num_missing // actors)
    assert sizes.rows >= 1


def test_open_calls_alone_nearly_fill_the_slots_where_each_holds_one_slow_episode() -> None:
    for in_flight in (8, 64, 512):
        assert portions(10**6, RolloutConfig(in_flight=in_flight)).calls > in_flight / 2


def test_no_actor_takes_what_others_that_still_start_will_need() -> None:
    sizes = portions(64, RolloutConfig(in_flight=64, actors=2))
    assert sizes.rows * sizes.calls == 32


def test_an_actor_that_may_stay_alone_fills_its_own_slots_first() -> None:
    sizes = portions(100, RolloutConfig(in_flight=64, actors=1, max_actors=8))
    assert sizes.rows * sizes.calls >= 64


def test_the_number_of_calls_of_a_run_is_bounded() -> None:
    assert 10**7 / portions(10**7, RolloutConfig(in_flight=8)).rows <= 16_384
