"""The teacher's rollouts as a Ray job, up to what is fit to learn from; does what `agentdistill rollout` does."""

from agentdistill.run import job

with job(__doc__) as run:
    questions = run.questions()  # questions/
    run.index()  # index/
    taught = run.rollout(questions.train)  # trajectories/
    run.select(taught)  # training_set/
