"""One module for each framework: it translates, and does nothing else."""
