"""The service: one straight line from a question to an answer with verified citations."""

__version__ = "0.1.0"
