"""Builds the retriever's index as a Ray job; does exactly what `agentdistill index build` does."""

from agentdistill.run import job

with job(__doc__) as run:
    run.index()  # index/
