"""Training: the loop, its checkpoints, its observers, and the processes that share it."""
