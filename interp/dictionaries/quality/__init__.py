"""How good a dictionary is: its activity, the model with it spliced in, probes of single features, recovery."""
