# The weights were written by torch.save, in single precision.
# checkpoint: torch_file
