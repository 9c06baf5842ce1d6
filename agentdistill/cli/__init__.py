"""The command line, one file a subject."""

from agentdistill.cli.app import app, main

__all__ = ["app", "main"]
