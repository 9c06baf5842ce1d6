"""Builds the retriever's index as a Ray job; does exactly what `agentdistill index build` does."""

import os
import sys

# This folder's select.py would hide the standard library's module of that name.
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

from agentdistill.cli import main

if __name__ == "__main__":
    main(["index", "build", *sys.argv[1:]])
