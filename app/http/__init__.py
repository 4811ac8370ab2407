"""The HTTP door. Nothing outside this package knows HTTP."""
