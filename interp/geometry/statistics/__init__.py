"""Statistics of the stream over windows of a corpus."""
