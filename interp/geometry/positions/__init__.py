"""The mean, position and context parts of the stream over windows of a corpus."""
