"""The whole distillation as one Ray job; does exactly what `agentdistill distill` does.

    ray job submit --working-dir . -- python rayjobs/distill.py --config configs/demo.yaml folder=/shared/runs/demo

questions -> index -> rollout -> select -> train -> evaluate -> report. Each stage reads the run folder and writes into
it, so the same submission goes on where an earlier one was stopped.
"""

import os
import sys

# This folder's select.py would hide the standard library's module of that name.
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

from agentdistill.cli import main

if __name__ == "__main__":
    main(["distill", *sys.argv[1:]])
