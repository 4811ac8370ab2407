"""Ties each claim to source characters, whatever a draft said. Words and numbers first, a small model after them."""
