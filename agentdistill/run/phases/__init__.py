"""The kinds of phases, one file each."""
