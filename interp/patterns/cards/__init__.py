"""What head cards are made of: sums of attention over windows."""
