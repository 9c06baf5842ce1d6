"""Retriever and sandbox as long-lived services; does exactly what `agentdistill serve` does."""

from agentdistill.run import job
from agentdistill.serve.host import serve_until_stopped

with job(__doc__) as run:
    run.index()  # index/
    serve_until_stopped(run)
