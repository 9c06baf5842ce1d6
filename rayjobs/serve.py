"""Retriever and sandbox as long-lived services; does exactly what `agentdistill serve` does."""

import os
import sys

# This folder's select.py would hide the standard library's module of that name.
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

from agentdistill.cli import main

if __name__ == "__main__":
    main(["serve", *sys.argv[1:]])
