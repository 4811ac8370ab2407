"""Runs and gates as people and machines read them."""
