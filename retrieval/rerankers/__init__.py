"""Rerankers: the second look at the best passages, behind `port.Reranker`."""
