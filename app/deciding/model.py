"""From signals to a probability: a logistic model whose weights are a data file, not code."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.errors import ConfigError

WEIGHTS = Path(__file__).parent / "weights.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model over named, standardised signals, with the threshold from which on it answers by default."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    threshold: float
    version: str
    """The first digits of the hash of the file that it came from."""

    def probability(self, values: Mapping[str, float]) -> float:
        """The probability that the answer is right, from the signals by name."""
        total = self.intercept
        for name, mean, scale, weight in zip(self.names, self.means, self.scales, self.weights, strict=True):
            total += weight * (values[name] - mean) / scale
        return 1 / (1 + math.exp(-total)) if total > -500 else 0.0


@lru_cache(maxsize=4)
def load(path: Path, known: Sequence[str]) -> Logistic:
    """Read a model that benchmarks/fit_decision.py wrote.

    Raises:
        ConfigError: It is not in the format, or names a signal that is not `known`.
    """
    raw = path.read_bytes()
    try:
        found = json.loads(raw)
        if found["format"] != _FORMAT:
            raise ValueError(f"format {found['format']}")
        rows = {str(name): [float(value) for value in row] for name, row in found["signals"].items()}
        model = Logistic(
            names=tuple(rows),
            means=tuple(row[0] for row in rows.values()),
            scales=tuple(row[1] for row in rows.values()),
            weights=tuple(row[2] for row in rows.values()),
            intercept=float(found["intercept"]),
            threshold=float(found["threshold"]),
            version=hashlib.sha256(raw).hexdigest()[:12],
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{path.name} is no model of this version: {error}. Reinstall Assay.") from None
    if unknown := set(model.names) - set(known):
        raise ConfigError(f"{path.name} names signals that there are not: {', '.join(sorted(unknown))}.")
    return model
