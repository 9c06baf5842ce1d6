"""The side of the sandbox that the kernel locks down: the warm process, and the sessions that it forks."""
