"""Selection as a Ray job (trajectories -> training set); does exactly what `agentdistill select` does."""

import os
import sys

# This folder's select.py would hide the standard library's module of that name.
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

from agentdistill.cli import main

if __name__ == "__main__":
    main(["select", *sys.argv[1:]])
