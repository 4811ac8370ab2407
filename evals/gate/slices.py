"""Slices: the declared ones, and a search for the one that suffers most."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.gate.compare import MIN_SLICE_PAIRS, Belongs
from evals.gate.pairing import Pair, gains
from evals.golden.cases import Case
from evals.stats.intervals import SEED
from evals.types import Metric

_FLIPS = 5_000
_SHORT, _LONG = 60, 140
"""Characters of a question: thirds of the shipped sets, roughly."""


@dataclass(frozen=True, slots=True)
class WorstSlice:
    """The slice with the largest loss in standard errors; `p` is corrected for all slices that were tried."""

    name: str
    pairs: int
    mean: float
    p: float
    tried: int
    case_ids: tuple[str, ...]


def declared(names: Iterable[str], cases: Iterable[Case]) -> Mapping[str, Belongs]:
    """Membership of each declared slice, and of each kind."""
    found: dict[str, Belongs] = {name: lambda case, name=name: name in case.slices for name in names}  # type: ignore[misc]
    for kind in sorted({case.kind for case in cases}):
        found[f"kind={kind}"] = lambda case, kind=kind: case.kind == kind  # type: ignore[misc]
    return found


def features(case: Case) -> frozenset[str]:
    """Everything by which a case may be sliced: what it declares, its kind, severity, topic, form and length."""
    size = len(case.question)
    length = "short" if size < _SHORT else "long" if size > _LONG else "middling"
    formats = {f"format={quote.uri.rpartition('.')[2]}" for quote in case.gold.evidence}
    return frozenset(
        {
            *(f"slice={name}" for name in case.slices),
            f"kind={case.kind}",
            f"severity={case.severity}",
            f"topic={case.group.partition('/')[0].partition(':')[0]}",
            f"length={length}",
            "with history" if case.history else "without history",
            *formats,
        }
    )


def worst_slice(pairs: Sequence[Pair], name: str, metric: Metric) -> WorstSlice | None:
    """Search all slices that the cases' features make for the largest loss.

    The p is that of the maximum (Westfall and Young 1993): signs of whole groups are flipped together in all slices,
    and the largest loss of each flip is what the largest observed loss must beat. Overlapping slices cost little.
    """
    scored, gained = gains(pairs, name, metric)
    if not scored or not any(gained):
        return None
    values = np.asarray(gained)
    members: dict[bytes, tuple[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]] = {}
    traits = [features(pair.case) for pair in scored]
    for feature in sorted({one for some in traits for one in some}):
        inside = np.asarray([feature in some for some in traits])
        if MIN_SLICE_PAIRS <= inside.sum() < len(scored):
            members.setdefault(inside.tobytes(), (feature, inside))  # two names for the same cases are one slice
    if not members:
        return None
    names = [title for title, _ in members.values()]
    mask = np.asarray([inside for _, inside in members.values()], dtype=np.float64)
    _, group = np.unique([pair.case.group for pair in scored], return_inverse=True)
    sums = np.zeros((len(names), group.max() + 1))
    for row in range(len(names)):
        sums[row] = np.bincount(group, weights=mask[row] * values, minlength=sums.shape[1])
    scale = np.sqrt((sums**2).sum(axis=1))
    scale[scale == 0] = np.inf
    losses = -sums.sum(axis=1) / scale
    signs = np.random.default_rng(SEED).integers(0, 2, size=(_FLIPS, sums.shape[1]), dtype=np.int8) * 2.0 - 1.0
    largest = (signs @ (sums / scale[:, None]).T).max(axis=1)
    worst = int(losses.argmax())
    if losses[worst] <= 0:
        return None
    inside = mask[worst] > 0
    lost = [pair.case.id for pair, here, gain in zip(scored, inside, values, strict=True) if here and gain < 0]
    return WorstSlice(
        names[worst],
        int(inside.sum()),
        float(values[inside].mean()),
        float((1 + (largest >= losses[worst] - 1e-9).sum()) / (1 + _FLIPS)),
        len(names),
        tuple(lost[:20]),
    )
