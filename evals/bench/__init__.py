"""Scores of what ships on public data in the bench format."""
