# The weights have the names that they had in the model whose last layer they were: fc.weight and fc.bias.
# checkpoint: as_fc
