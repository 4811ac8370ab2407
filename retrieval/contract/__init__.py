"""Data contracts of corpora: what a corpus must be like before it serves."""
