"""The model card that goes with a trained student."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from agentdistill.config.train import TrainConfig
from agentdistill.train.data.sequences import RenderCounts


def model_card(config: TrainConfig, base_model: str, counts: RenderCounts, result: dict[str, Any]) -> str:
    """Return the card as Markdown with the metadata block that model hubs read."""
    kind = "LoRA adapter" if config.lora.enabled else "full weights"
    head = ["---", "library_name: " + ("peft" if config.lora.enabled else "transformers"), "tags:", "- agentdistill"]
    if config.lora.enabled:
        head.append("- lora")
    head += [f"base_model: {base_model}", "pipeline_tag: text-generation", "---"]
    body = [
        f"# A student of {base_model}",
        "",
        f"{kind.capitalize()} trained with agentdistill on agent trajectories (arXiv 2505.17612): the loss is on the",
        "agent's own Thought and Code and the end-of-turn token alone.",
        "",
        "## Data",
        "",
        f"{counts.examples} examples ({counts.held_out} held out, {counts.dropped_too_long} dropped and",
        f"{counts.cut_too_long} cut for their length), {counts.tokens} tokens an epoch, of which",
        f"{counts.trained_tokens} are trained.",
        "",
        "## Result",
        "",
        *[f"- {name}: {value}" for name, value in result.items() if value is not None],
        "",
        "## Settings",
        "",
        "```json",
        json.dumps(asdict(config), indent=2),
        "```",
        "",
    ]
    if config.lora.enabled:
        body += [
            "## Use",
            "",
            f"`vllm serve BASE --enable-lora --max-lora-rank {config.lora.r} --lora-modules student=THIS_FOLDER`",
            "",
        ]
    return "\n".join([*head, "", *body])
