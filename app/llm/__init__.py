"""Providers of drafts: one file each behind `port.Provider`."""
