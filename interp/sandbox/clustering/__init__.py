"""The Clustering Head: two dimensions that learn sparse modular addition, and all that is computed."""
