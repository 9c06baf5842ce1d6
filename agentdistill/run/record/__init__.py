"""What the folder remembers of each phase: with which settings it was made, from what, and what came of it."""
