"""Trajectories that others made, as trajectories of ours."""
