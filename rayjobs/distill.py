"""The whole distillation as one Ray job; does exactly what `agentdistill distill` does.

    ray job submit --working-dir . -- python rayjobs/distill.py --config configs/demo.yaml folder=/shared/runs/demo

Each phase reads the run folder and writes into it, so the same submission goes on where an earlier one was stopped.
"""

from agentdistill.run import job

with job(__doc__) as run:
    questions = run.questions()  # questions/     to learn from, and held out
    run.index()  # index/         what search() finds
    taught = run.rollout(questions.train)  # trajectories/  the teacher acts
    examples = run.select(taught)  # training_set/  what is fit to learn from
    student = run.train(examples)  # adapter/ or student/
    run.evaluate(questions.test, student)  # scores/
    run.report()  # report/
