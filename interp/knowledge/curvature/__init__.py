"""Curvature of the loss in the weights of one MLP: K-FAC factors, and edits in their basis."""
