"""Attacks grown from seeds, within a budget, the same for the same seed."""
