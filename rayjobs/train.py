"""Student training as a Ray job (training set -> student); does exactly what `agentdistill train` does."""

from agentdistill.run import job

with job(__doc__) as run:
    run.train()  # training_set/ -> adapter/ or student/
