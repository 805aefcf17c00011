"""One backward pass whose gradients are replaced by relevance rules."""
