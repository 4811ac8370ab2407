"""One file per format: `parse(data) -> ParsedText`."""
