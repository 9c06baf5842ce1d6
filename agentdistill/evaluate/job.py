"""The benchmark grid: each cell is a model in a mode, run on the same questions, once per seed, through rollout.

Cells whose engines are configured alike run on one loaded engine. Every cell has a folder of its own, so that an
evaluation that was stopped goes on with the episodes that are missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentdistill import storage
from agentdistill.agent import VOTE_PREFIX, EpisodeSettings, for_workers
from agentdistill.config import AgentConfig, EvaluateConfig, EvaluationCell, VoteConfig
from agentdistill.errors import ConfigError
from agentdistill.evaluate.episodes import mean_tokens, read_episodes
from agentdistill.evaluate.summary import CellSummary, summarize
from agentdistill.evaluate.votes import SEED_STRIDE, episodes_for
from agentdistill.rollout import RolloutProgress, RolloutSpec, run_rollouts
from agentdistill.types import Question

#: Gets the names of the cells (and seeds) that run together, and their progress, summed.
OnProgress = Callable[[tuple[str, ...], RolloutProgress], None]

_SUMMED = ("total", "finished", "failed", "correct", "completion_tokens")


@dataclass(frozen=True, slots=True)
class TrainedStudent:
    """What training left behind."""

    path: str
    is_adapter: bool
    base_model: str


@dataclass(frozen=True, slots=True)
class CellRun:
    """One cell with one seed."""

    name: str
    cell: EvaluationCell
    seed: int
    spec: RolloutSpec


def run_cells(
    questions: list[Question],
    config: EvaluateConfig,
    base: RolloutSpec,
    folder: str,
    student: TrainedStudent | None,
    on_progress: OnProgress = lambda names, progress: None,
) -> list[CellRun]:
    """Run every episode of the grid that is not finished, into `folder/CELL[-sSEED]/`.

    `base` gives services, run id and rollout settings. Raises ConfigError where a cell needs a trained student and
    there is none, two cells have one name, or a budget cannot be told in tokens.
    """
    runs = [
        CellRun(name, cell, seed, cell_spec(cell, seed, config, base, storage.join(folder, name), student))
        for cell in config.cells
        for seed in config.seeds
        if (name := cell_name(cell, seed, config.seeds))
    ]
    if len({run.name for run in runs}) < len(runs):
        raise ConfigError(f"evaluate.cells has names {[run.name for run in runs]}, expected each name once")
    _run(questions, runs, on_progress)
    on_budget = [_at_equal_tokens(run, runs, config) for run in runs if _vote(run.cell).budget_of is not None]
    _run(questions, on_budget, on_progress)
    return runs


def summarize_cells(runs: Sequence[CellRun]) -> dict[str, CellSummary]:
    """The figures of each cell by its name, over all its seeds."""
    names = dict.fromkeys(run.cell.name for run in runs)
    return {
        name: summarize(fact for run in runs if run.cell.name == name for fact in read_episodes(run.spec.folder))
        for name in names
    }


def cell_name(cell: EvaluationCell, seed: int, seeds: list[int]) -> str:
    return cell.name if len(seeds) == 1 else f"{cell.name}-s{seed}"


def cell_spec(
    cell: EvaluationCell,
    seed: int,
    config: EvaluateConfig,
    base: RolloutSpec,
    folder: str,
    student: TrainedStudent | None,
) -> RolloutSpec:
    """The rollout of one cell: its engine, its agent, its seed, and one sample a question, or as many as vote.

    Of a cell with a budget it is the pilot: one episode a question, which tells what an episode costs.
    """
    engine = dataclasses.replace(cell.engine or config.engine)
    if cell.trained:
        if student is None:
            raise ConfigError(f"evaluate.cells: {cell.name} is the trained student, but this run has trained none")
        engine.model = student.base_model if student.is_adapter else student.path
        engine.adapter = student.path if student.is_adapter else None
    vote = _vote(cell)
    votes = cell.mode == "vote"
    agent = for_workers(cell.agent or config.agent)
    settings = EpisodeSettings(
        agent=_voting_agent(agent, vote) if votes else agent,
        run_id=f"{base.settings.run_id}/{cell.name}",
        role="student",
        mode=f"{VOTE_PREFIX}{cell.episode_mode}" if votes else cell.mode,
        model=cell.name,
        tools=base.settings.tools,
        seed=seed * SEED_STRIDE if votes else seed,
    )
    samples = vote.n if votes and vote.budget_of is None else 1
    rollout = dataclasses.replace(base.rollout, samples=samples)
    return dataclasses.replace(base, folder=folder, engine=engine, settings=settings, rollout=rollout)


def _vote(cell: EvaluationCell) -> VoteConfig:
    return cell.vote or VoteConfig()


def _voting_agent(agent: AgentConfig, vote: VoteConfig) -> AgentConfig:
    return dataclasses.replace(agent, temperature=vote.temperature, top_p=vote.top_p)


def _run(questions: list[Question], runs: Sequence[CellRun], on_progress: OnProgress) -> None:
    """Run the cells, those of one engine together."""
    groups: list[list[CellRun]] = []
    for run in runs:
        group = next((group for group in groups if group[0].spec.engine == run.spec.engine), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    for group in groups:
        run_rollouts(questions, [run.spec for run in group], _summed(tuple(run.name for run in group), on_progress))


def _summed(names: tuple[str, ...], on_progress: OnProgress) -> Callable[[int, RolloutProgress], None]:
    latest: dict[int, RolloutProgress] = {}

    def show(number: int, progress: RolloutProgress) -> None:
        latest[number] = progress
        counts = {name: sum(getattr(item, name) for item in latest.values()) for name in _SUMMED}
        on_progress(names, RolloutProgress(**counts, engine_deaths=progress.engine_deaths))

    return show


def _at_equal_tokens(run: CellRun, runs: Sequence[CellRun], config: EvaluateConfig) -> CellRun:
    """The vote with as many episodes a question as the other cell's completion tokens pay for, on average.

    The price of an episode is that of its pilot. Raises ConfigError where either tells no tokens.
    """
    vote = _vote(run.cell)
    [other] = [other for other in runs if (other.cell.name, other.seed) == (vote.budget_of, run.seed)]
    pilot = [fact for fact in read_episodes(run.spec.folder) if fact.sample_index == 0]
    try:
        samples = episodes_for(mean_tokens(read_episodes(other.spec.folder)), mean_tokens(pilot), vote.n)
    except ValueError as error:
        raise ConfigError(
            f"evaluate.cells: {run.name} votes on the budget of {other.name}, but their engines tell no tokens "
            f"({error}); expected vote.n without vote.budget_of"
        ) from error
    rollout = dataclasses.replace(run.spec.rollout, samples=samples)
    return dataclasses.replace(run, spec=dataclasses.replace(run.spec, rollout=rollout))
