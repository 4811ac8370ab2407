"""Checks on everything that comes from outside: so far, what personal data a text holds."""
