"""How alike two questions must be for one answer: learned from pairs of questions, with a bound on the error.

`benchmarks/fit_cache.py` writes `learned.json`. Without a threshold for the embedder in use there is no semantic cache.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Learned:
    """A threshold on the cosine of two questions, and what was measured with it on pairs it was fitted on.

    `upper_bound` is the Clopper-Pearson bound, at `confidence`, of the share of questions without an equal one in the
    cache that would get another question's answer; it is at most `target`.
    """

    embedder: str
    threshold: float
    target: float
    confidence: float
    novel: int
    wrong: int
    upper_bound: float
    sets: str


def learned_for(embedder: str, path: Path | None = None) -> Learned:
    """What was learned for an embedder, by its fingerprint.

    Raises:
        ConfigError: Nothing was, or the file is none.
    """
    try:
        text = (path or files("app.caching").joinpath("learned.json")).read_text(encoding="utf-8")
        known = [Learned(**row) for row in json.loads(text)]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"cache.learned cannot be read: {error}") from None
    found = next((row for row in known if row.embedder == embedder), None)
    if found is None or found.upper_bound > found.target:
        raise ConfigError(
            f"cache.mode 'semantic' needs a threshold learned for the embedder {embedder}. Run: python "
            "benchmarks/fit_cache.py --out FILE, and set cache.learned to the file; or set cache.mode to 'exact'."
        )
    return found
