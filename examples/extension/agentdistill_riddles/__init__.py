"""A package beside agentdistill with one extension of each kind, a few lines each: numbers are to be guessed."""
