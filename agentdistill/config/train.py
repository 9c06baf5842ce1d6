"""Settings of student training."""

from dataclasses import dataclass, field
from typing import Any

from agentdistill import plugins
from agentdistill.config.settings import section, setting


@dataclass
class LoraConfig:
    """The paper's LoRA: r=64, alpha 128, dropout 0.05, all linear layers."""

    enabled: bool = True
    r: int = setting(64, ge=1)
    alpha: int = setting(128, ge=1)
    dropout: float = setting(0.05, ge=0, le=1)
    target_modules: list[str] = field(default_factory=lambda: ["all-linear"])


@dataclass
class CheckpointConfig:
    every_steps: int | None = setting(None, ge=1)
    every_minutes: float | None = setting(10.0, gt=0)
    keep: int = setting(2, ge=1)  # by count
    keep_best: bool = True  # and the one with the best held-out loss


@dataclass
class TrainConfig:
    model: str = "smollm2-135m"  # a package preset (see agentdistill.models), a folder, or a hub id
    revision: str | None = None
    lora: LoraConfig = section(LoraConfig)
    epochs: float = setting(2.0, gt=0)
    max_steps: int | None = setting(None, ge=1)  # optimizer steps; stops earlier than epochs
    batch_size: int = setting(8, ge=1)  # examples in one optimizer step, over all workers
    batch_rows: int | None = setting(None, ge=1)  # instead: full rows in one step, packed from the whole epoch
    learning_rate: float = setting(2e-4, gt=0)
    weight_decay: float = setting(0.0, ge=0)
    warmup_ratio: float = setting(0.1, ge=0, le=1)
    schedule: str = setting("cosine", choices=("cosine", "linear", "constant"))
    max_grad_norm: float = setting(1.0, gt=0)
    max_length: int = setting(10_240, ge=64)  # tokens an example
    too_long: str = setting("drop", choices=("drop", "cut"))
    packing: bool = True
    pack_length: int | None = setting(None, ge=64)  # tokens a row; null: max_length
    backend: str = setting(  # auto: DeepSpeed where ZeRO partitions
        "auto", choices=("auto", "deepspeed", "torch"), binds=False
    )
    zero_stage: int = setting(0, ge=0, le=3, binds=False)
    offload: bool = setting(False, binds=False)
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16"))
    gradient_checkpointing: bool = setting(True, binds=False)
    held_out_share: float = setting(0.0, ge=0, le=0.5)
    eval_every_steps: int | None = setting(None, ge=1)
    early_stop_patience: int | None = setting(None, ge=1)  # evaluations without improvement
    mask_failed_actions: bool = False
    train_on_prefix: bool = True  # train on the first-thought prefix too
    thought_weight: float = setting(1.0, ge=0)
    code_weight: float = setting(1.0, ge=0)
    final_weight: float = setting(1.0, ge=0)
    objective: str = setting("cross_entropy")  # what is minimised: a name, or package.module:name
    objective_settings: dict[str, Any] = field(default_factory=dict)  # what an objective that is a class is called with
    seed: int = 0
    workers: int = setting(1, ge=1, binds=False)
    gpus_per_worker: float | None = setting(None, ge=0, binds=False)  # null: 1 where there are GPUs, else 0
    cpus_per_worker: float = setting(1.0, gt=0, binds=False)
    max_failures: int = setting(3, ge=0, binds=False)  # restarts by Ray Train
    checkpoint: CheckpointConfig = section(CheckpointConfig, binds=False)
    log_every_steps: int = setting(1, ge=1, binds=False)
    launcher: str = setting(  # local: in this process, or the torchrun worker it is
        "ray", choices=("ray", "local"), binds=False
    )
    stream: bool = setting(True, binds=False)  # under Ray: rows come through Ray Data; false: workers read them
    min_workers: int | None = setting(None, ge=1, binds=False)  # elastic: go on with so few where the cluster shrinks
    threads_per_worker: int | None = setting(None, ge=1, binds=False)  # of torch; null: cpus_per_worker
    tensorboard: bool = setting(True, binds=False)
    tracker: str = setting("none", choices=("none", "wandb", "mlflow"), binds=False)
    tracker_project: str = setting("agentdistill", binds=False)

    @property
    def row_tokens(self) -> int:
        """Tokens a row at most."""
        return self.pack_length or self.max_length

    def problems(self):
        if not plugins.is_known("objective", self.objective):
            ways = plugins.three_ways("objective", self.objective)
            yield "objective", self.objective, f"an objective by name: {ways}"
        if self.batch_size < self.workers:
            yield "batch_size", self.batch_size, f"at least workers ({self.workers})"
        if self.backend == "torch" and (self.zero_stage or self.offload):
            yield "backend", self.backend, f"deepspeed, for zero_stage={self.zero_stage} offload={self.offload}"
        if self.min_workers is not None and self.min_workers > self.workers:
            yield "min_workers", self.min_workers, f"at most workers ({self.workers})"
        if self.early_stop_patience is not None and not self.held_out_share:
            yield "early_stop_patience", self.early_stop_patience, "null, or a held_out_share above 0"
        if self.early_stop_patience is not None and not self.checkpoint.keep_best:
            yield "checkpoint.keep_best", self.checkpoint.keep_best, "true, for early_stop_patience to go back to it"
        if self.pack_length is not None and self.pack_length < self.max_length:
            yield "pack_length", self.pack_length, f"at least max_length ({self.max_length})"
