"""Bench kind `groundedness`: whether evidence supports a claim, as the verifier of answers judges it.

Rows are {evidence, claim, label, source}. With `leave_one_source_out` the weights are fitted anew for each source on
the rows of the others, so that no row is scored by weights that saw its source.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from app.grounding.sources import Window
from app.grounding.support import Entails, Features, Weights, probability, read, values
from app.grounding.verify import closest_of, spans_of, stated
from evals.bench.answers import auc
from evals.bench.read import Row, read_rows
from evals.bench.results import BenchRequest, BenchResult, Score, Scores, Step, bootstrapped, mean, sampled
from evals.errors import BenchError
from retrieval.rerankers.cross_encoder import CrossEncoderFusion
from retrieval.types import Passage
from retrieval.words import content_words

if TYPE_CHECKING:
    from app.bootstrap import Services

PENALTY = 0.05
"""C of scikit-learn's LogisticRegression over standardised features."""
NOTHING = Features(*[0.0] * len(Features.__dataclass_fields__))


class ClaimRow(Row):
    """A claim and what is said to support it."""

    evidence: str = Field(min_length=1, max_length=1_000_000)
    claim: str = Field(min_length=1, max_length=100_000)
    label: Literal[0, 1]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one row. `agrees` is what the checks of words alone say, in [0, 1]."""

    row: ClaimRow
    features: Features
    agrees: float
    ms: float


async def groundedness(services: "Services", request: BenchRequest, progress: Step | None = None) -> BenchResult:
    """Score the shipped weights, or weights that did not see a row's source, and simpler scores beside them.

    Raises:
        BenchError: The file is missing or not in the format.
    """
    rows = [row for _, row in read_rows(request.path, ClaimRow)]
    chosen = [rows[i] for i in sampled(len(rows), request.limit, request.seed)]
    if len({row.label for row in chosen}) < 2:
        raise BenchError(f"{request.path} needs claims of both labels.")
    reranker = services.retriever.reranker
    reader = entails_by(reranker) if isinstance(reranker, CrossEncoderFusion) else None
    plain = [_read(row, None, progress, i, len(chosen)) for i, row in enumerate(chosen)]
    columns = {"shipped": [(r, p) for r, p in zip(plain, _judged(plain, request, "words"), strict=True)]}
    if reader is not None:
        both = [_read(row, reader, progress, i, len(chosen)) for i, row in enumerate(chosen)]
        columns["with_cross_encoder"] = [(r, p) for r, p in zip(both, _judged(both, request, "read"), strict=True)]
        columns["cross_encoder_alone"] = [(r, r.features.entailed) for r in both]
    columns["checks_alone"] = [(r, r.agrees) for r in plain]
    columns["word_overlap"] = [(r, _overlap(r.row)) for r in plain]
    columns |= {name: [(r, score(r.row)) for r in plain] for name, score in _ragas().items()}
    threshold = services.settings.chat.min_support
    found = {name: _scored(pairs, threshold, request.seed) for name, pairs in columns.items()}
    sources = sorted({row.source for row in chosen})
    by_source = {
        source: _scored([(r, p) for r, p in columns["shipped"] if r.row.source == source], threshold, request.seed)
        for source in sources
    }
    about = {
        "supported": sum(row.label for row in chosen),
        "sources": len(sources),
        "weights": "fitted without the source that is scored" if request.leave_one_source_out else "as shipped",
        "threshold": threshold,
        "limit": request.limit,
        "seed": request.seed,
    }
    return BenchResult("groundedness", str(request.path), len(chosen), found.pop("shipped"), found, by_source, about)


def entails_by(reranker: CrossEncoderFusion) -> Entails:
    """The cross-encoder of the search as a reader of claims."""
    return lambda claim, text: next(iter(reranker.scorer.scores(claim, [text])))


def fit(readings: Sequence[Reading]) -> Weights:
    """Logistic regression over standardised features, each source with the same weight; written for raw features."""
    from sklearn.linear_model import LogisticRegression

    x = np.array([values(reading.features) for reading in readings])
    y = np.array([reading.row.label for reading in readings])
    counts: dict[str, int] = {}
    for reading in readings:
        counts[reading.row.source] = counts.get(reading.row.source, 0) + 1
    weight = np.array([len(readings) / len(counts) / counts[reading.row.source] for reading in readings])
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1
    model = LogisticRegression(C=PENALTY, max_iter=1_000).fit((x - middle) / spread, y, sample_weight=weight)
    raw = model.coef_[0] / spread
    return Weights(float(model.intercept_[0] - raw @ middle), tuple(float(w) for w in raw))


def features_of(row: ClaimRow, entails: Entails | None) -> tuple[Features, float]:
    """What the verifier reads of a row; and the share of the claim's words that is held, 0 where they disagree."""
    passage = Passage("evidence", "evidence", "", "bench", 0, len(row.evidence), row.evidence, None, None, 1.0)
    said = stated(row.claim)
    words = frozenset(content_words(said))
    spans: list[Window] = spans_of(words, [passage]) if words else []
    if not spans:
        return NOTHING, 0.0
    found = read(said, [span.text for span in spans], closest_of(words, spans).text, entails)
    wrong = found.quantities_missing or found.polarity_differs or found.opposites or found.names_missing
    return found, 0.0 if wrong else found.words_held


def _read(row: ClaimRow, entails: Entails | None, progress: Step | None, done: int, total: int) -> Reading:
    began = time.perf_counter()
    features, agrees = features_of(row, entails)
    reading = Reading(row, features, agrees, (time.perf_counter() - began) * 1000)
    if progress is not None:
        progress("claims, with the cross-encoder" if entails else "claims", done + 1, total)
    return reading


def _judged(readings: Sequence[Reading], request: BenchRequest, name: str) -> list[float]:
    from app.grounding.support import shipped

    if not request.leave_one_source_out:
        return [probability(reading.features, shipped()[name]) for reading in readings]
    sources = {reading.row.source for reading in readings}
    if len(sources) < 2:
        raise BenchError("Leaving a source out needs rows of two sources at least.")
    without = {source: fit([r for r in readings if r.row.source != source]) for source in sources}
    return [probability(reading.features, without[reading.row.source]) for reading in readings]


def _scored(pairs: Sequence[tuple[Reading, float]], threshold: float, seed: int) -> Scores:
    yes = [score for reading, score in pairs if reading.row.label]
    no = [score for reading, score in pairs if not reading.row.label]
    scores: dict[str, Score] = {"auc": bootstrapped((yes, no), auc, seed, "BCa", vectorized=False)}
    by: dict[str, tuple[list[float], list[float]]] = {}
    for reading, score in pairs:
        by.setdefault(reading.row.source, ([], []))[1 - reading.row.label].append(score)
    whole = [auc(np.array(a), np.array(b)) for a, b in by.values() if a and b]
    scores["auc_mean_of_sources"] = Score(float(np.mean(whole)), n=len(whole))
    scores["auc_worst_source"] = Score(float(np.min(whole)), n=len(whole))
    hit, right = [float(s >= threshold) for s in yes], [float(s < threshold) for s in no]
    scores["balanced_accuracy"] = bootstrapped((hit, right), _balanced, seed, "BCa", vectorized=False)
    scores["f1"] = bootstrapped((hit, right), _f1, seed, "BCa", vectorized=False)
    scores["ms_per_claim"] = mean([reading.ms for reading, _ in pairs], seed)
    return scores


def _balanced(hit: Any, right: Any) -> float:
    return float((np.mean(hit) + np.mean(right)) / 2)


def _f1(hit: Any, right: Any) -> float:
    true, false = float(np.sum(hit)), float(len(right) - np.sum(right))
    return 2 * true / (true + false + len(hit)) if true else 0.0


def _overlap(row: ClaimRow) -> float:
    words = set(content_words(row.claim))
    return len(words & set(content_words(row.evidence))) / len(words) if words else 0.0


def _ragas() -> Mapping[str, Callable[[ClaimRow], float]]:
    """Metrics of ragas that need no model, where it is installed."""
    from evals.errors import EvalsError
    from evals.scorers.ragas import text_likeness

    try:
        return {
            f"ragas_{name}": lambda row, of=of: of(row.claim, row.evidence)  # type: ignore[misc]
            for name, of in text_likeness().items()
        }
    except EvalsError:
        return {}
