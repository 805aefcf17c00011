"""Inhibition channels of the default model: from S-inhibition heads into name movers, and in lists."""
