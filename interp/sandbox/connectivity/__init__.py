"""Graph connectivity by the disentangled transformer, whose weights either multiply powers of A or count degrees."""
