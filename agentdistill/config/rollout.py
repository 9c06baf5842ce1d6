"""Settings of a rollout: how many episodes, on how many engines, and how much may fail."""

from dataclasses import dataclass

from agentdistill.config.settings import setting


@dataclass
class RolloutConfig:
    samples: int = setting(1, ge=1)  # trajectories a question
    actors: int = setting(1, ge=1, binds=False)  # engines; the pool grows to max_actors
    max_actors: int | None = setting(None, ge=1, binds=False)
    in_flight: int = setting(64, ge=1, binds=False)  # episodes at once in one actor
    cpus_per_actor: float = setting(  # an actor mostly waits: for its engine, the sandbox, the retriever
        0.5, ge=0, binds=False
    )
    gpus_per_actor: float | None = setting(  # null: tensor_parallel where there are GPUs, else 0
        None, ge=0, binds=False
    )
    max_failed_share: float = setting(0.2, ge=0, le=1, binds=False)  # more system failures than this stop the run
    min_failures: int = setting(20, ge=1, binds=False)  # but never before so many
    max_engine_deaths: int = setting(5, ge=0, binds=False)  # over all actors; more stop the run
    attempts: int = setting(2, ge=1, binds=False)  # tries within one run of an episode that the system failed
    flush_s: float = setting(0.5, gt=0, binds=False)  # finished trajectories are on storage after at most so long
    reuse: str | None = None  # the run folder whose finished rollout is copied; null: the teacher of this run acts

    def problems(self):
        if self.max_actors is not None and self.max_actors < self.actors:
            yield "max_actors", self.max_actors, f"at least actors ({self.actors})"
