"""What an attribution explains, and relevance propagation by hand."""
