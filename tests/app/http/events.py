"""Reading event streams in tests."""

import json
from typing import Any


def parse(text: str) -> list[tuple[str, Any]]:
    """(name, data) of each event; comments are passed over."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found
