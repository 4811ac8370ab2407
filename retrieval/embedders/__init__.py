"""Embedders: one file each behind `port.Embedder`."""
