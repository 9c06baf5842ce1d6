"""The benchmark grid as a Ray job (student -> scores); does exactly what `agentdistill evaluate` does."""

from agentdistill.run import job

with job(__doc__) as run:
    student = run.student()  # what training left, where a cell asks for it
    questions = run.questions()  # questions/
    run.index()  # index/
    run.evaluate(questions.test, student)  # scores/
