"""What every test shares: a small environment, and parts that must be there under CI."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep workers that run clusters side by side apart: each has its own cores and its own newest cluster.

    Engines and collectives wait in loops; two of them on the same cores are many times slower than one after the other.
    Slow files begin, so that none of them is left alone at the end.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or not any(item.get_closest_marker("ray") for item in items):
        return
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    os.environ["RAY_TMPDIR"] = f"/tmp/ray-{worker}"  # where Ray notes the address of the newest cluster
    os.makedirs(os.environ["RAY_TMPDIR"], exist_ok=True)
    workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    own = sorted(os.sched_getaffinity(0))[int(worker.removeprefix("gw")) :: workers]
    if own:
        os.sched_setaffinity(0, own)


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve examples of an agent: three steps an epoch for the tiny student."""
    from train_runs import twelve_examples

    return twelve_examples(tmp_path_factory.mktemp("training_set"))


@pytest.fixture(scope="session")
def loss_curve(training_set: str, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """What every other way of training on these examples has to give: one process, uninterrupted, six steps."""
    from train_parts import tiny_config
    from train_runs import run_alone

    return run_alone(tiny_config(epochs=2), training_set, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="session")
def slow_loss_curve(training_set: str, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The same of the run that takes long enough to be disturbed from outside."""
    from train_parts import tiny_config
    from train_runs import run_alone, slow_settings

    return run_alone(tiny_config(**slow_settings()), training_set, tmp_path_factory.mktemp("slow"))
