"""Training: the loop, its checkpoints and curves, and the processes that share it."""
