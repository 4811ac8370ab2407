"""Indexes: one file per kind, all saved into and opened from a folder."""
