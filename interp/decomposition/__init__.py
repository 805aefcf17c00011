"""The forward pass of parts: any split of the residual stream, carried from a layer to the answer."""
