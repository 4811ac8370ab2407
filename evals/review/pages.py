"""The pages of a review. Everything that stands in them is untrusted: it is escaped, and what hides is made seen."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evals.golden.cases import Action, Kind
from evals.review.types import CAUSES, SEVERITIES, Cause

_HERE = Path(__file__).parent
STATIC = _HERE / "static"

NAMES: Mapping[Cause, str] = {
    "retrieval": "Retrieval",
    "grounding": "Grounding",
    "guard": "Guard",
    "label_error": "Label error",
    "question_unclear": "Question unclear",
    "other": "Other",
}
MEANINGS: Mapping[Cause, str] = {
    "retrieval": "The passages do not hold the answer.",
    "grounding": "They hold it, but the answer is wrong, incomplete or refused.",
    "guard": "A guard let something through, or held back what was fine.",
    "label_error": "The answer is right; the case is wrong.",
    "question_unclear": "A person could not tell what is asked either.",
    "other": "None of these; say what in the note.",
}

_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef]"
)


def seen(text: object) -> str:
    """A text in which what would hide, or reorder it, is written out: an attack should be seen as it is."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))


def number(value: float | None, *, signed: bool = False) -> str:
    """Three digits behind the point at most; a dash where there is none."""
    if value is None:
        return "–"
    said = f"{value:+.3f}" if signed else f"{value:.3f}"
    if abs(value) >= 100:
        said = f"{value:+,.0f}" if signed else f"{value:,.0f}"
    elif "." in said:
        said = said.rstrip("0").rstrip(".")
    return said.replace("-", "−")


def render(template: str, **values: Any) -> str:
    """A page by the name of its template."""
    return _templates.get_template(f"{template}.html").render(**values)


def query(values: Mapping[str, str], **changes: str) -> str:
    """A query string with the leading "?", of what is not empty; "" where nothing is left."""
    kept = {name: value for name, value in {**values, **changes}.items() if value}
    return f"?{urlencode(kept)}" if kept else ""


_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_templates.filters |= {"seen": seen, "number": number}
_templates.globals |= {
    "CAUSES": CAUSES,
    "NAMES": NAMES,
    "MEANINGS": MEANINGS,
    "SEVERITIES": SEVERITIES,
    "KINDS": get_args(Kind),
    "ACTIONS": get_args(Action),
    "query": query,
}
