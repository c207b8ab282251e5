"""One module per protocol: decode to columns, hand on, translate the error. Nothing else."""
