"""A rollout in a process of its own, for a test that kills it: rollout_driver.py ADDRESS FOLDER EXPERT QUESTIONS."""

import sys

import ray
from rollout_parts import RUNTIME_ENV, questions, spec_for

from agentdistill.rollout import run_rollout

address, folder, expert, count = sys.argv[1:]
ray.init(address=address, runtime_env=RUNTIME_ENV, logging_level="ERROR")
run_rollout(questions(int(count)), spec_for(folder, expert))
