"""Which layers and heads of the default model can go, and which measure tells."""
