"""The benchmark grid as a Ray job (student -> scores); does exactly what `agentdistill evaluate` does."""

import os
import sys

# This folder's select.py would hide the standard library's module of that name.
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

from agentdistill.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
