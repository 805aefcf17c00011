"""Feature cards: the harvest over a corpus, the cards written from it, and questions to them."""
