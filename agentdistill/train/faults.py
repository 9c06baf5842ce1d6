"""One clear sentence for each way in which training can fail."""

from __future__ import annotations

import errno
import math
from collections.abc import Sequence

from agentdistill.errors import TrainingError

_NO_SPACE = ("no space left", "os error 28", "enospc")
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def explain_write(path: str, what: str, error: BaseException) -> str:
    """Why a file could not be written, and what to do where that is a full disk."""
    text = str(error)
    full = getattr(error, "errno", None) == errno.ENOSPC or any(word in text.lower() for word in _NO_SPACE)
    if full:
        return (
            f"{path}: cannot write the {what}: no space left on the device; free some and run the same command again, "
            "it goes on from the checkpoint before"
        )
    return f"{path}: cannot write the {what}: {getattr(error, 'strerror', None) or text or type(error).__name__}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, CUDA or Python means that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _NO_MEMORY)


def explain_memory(step: int, num_tokens: int, error: BaseException) -> str:
    """What to change after running out of memory, cheapest first."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"step {step}: out of memory in a row of {num_tokens} tokens ({reason}); in this order: "
        "train.gradient_checkpointing=true, a smaller train.pack_length (down to train.max_length), "
        "train.dtype=bfloat16, train.lora.enabled=true, a higher train.zero_stage with more train.workers, "
        "train.offload=true, a smaller train.max_length"
    )


def check_finite(step: int, loss: float, norm: float | None, rate: float, example_ids: Sequence[str]) -> None:
    """Raise TrainingError where the loss or the gradient norm is not a finite number."""
    what = "loss" if not math.isfinite(loss) else None
    if what is None and norm is not None and not math.isfinite(norm):
        what = "gradient norm"
    if what is None:
        return
    value = loss if what == "loss" else norm
    raise TrainingError(
        f"step {step}: the {what} is {value} at learning rate {rate:.3g}, in the batch of examples "
        f"{', '.join(example_ids)}; look at these with --preview, lower train.learning_rate, raise "
        "train.warmup_ratio, or use train.dtype=float32; the checkpoint before this step is kept"
    )
