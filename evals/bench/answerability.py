"""Bench kind `answerability`: does it know what it can answer, given the right passages and from end to end?

Weights were fitted on one half of the questions (benchmarks/fit_decision.py); only the other half is asked here.
Thresholds are fitted anew, many times: on a random half of what is asked, to report on its rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.budget import Budget
from app.deciding.decide import Decider
from app.deciding.risk import threshold
from app.reading import Reading
from app.types import Action, ChatRequest
from evals.bench.answers import auc
from evals.bench.corpus import ingest_rows
from evals.bench.results import BenchRequest, BenchResult, Score, Scores, Step, bootstrapped, mean, sampled
from evals.bench.tasks import Task, read_tasks
from retrieval.types import Passage

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.bench.read import DocumentRow

SPLITS = 200
"""Random halves on which thresholds are fitted, to report on the other half."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a question: numbers that order questions by how likely they can be answered, and the action."""

    probability: float
    cosine: float
    overlap: float
    action: Action


Sureness = Callable[[Said], float]
SURENESS: Mapping[str, Sureness] = {
    "shipped": lambda said: said.probability,
    "cosine_threshold": lambda said: said.cosine,
    "lexical_overlap": lambda said: said.overlap,
}


async def answerability(services: "Services", request: BenchRequest, progress: Step | None = None) -> BenchResult:
    """Ask each question twice: with the right passages given, and through the pipeline that serves.

    Raises:
        BenchError: The set is missing or not in the format.
    """
    found = read_tasks(request.path)
    await services.warm_up()
    for corpus, rows in found.corpora.items():
        ingest_rows(services, rows, corpus, progress)
    unseen = [task for task in found.tasks if not task.fitted or request.everything]
    tasks = [unseen[i] for i in sampled(len(unseen), request.limit, request.seed)]
    decider = services.pipeline.decider
    given, whole = [], []
    for done, task in enumerate(tasks, start=1):
        standalone = (await services.pipeline.understand(task.request, Budget())).question
        given.append(await _said(decider, standalone, task.request, passages_of(task.given)))
        whole.append(await _end_to_end(services, standalone, task.request))
        if progress is not None:
            progress("questions", done, len(tasks))
    target = services.settings.chat.risk_target
    settings = {"gold": given, "end_to_end": whole}
    scores = {name: scored(tasks, settings, by, target, request.seed) for name, by in SURENESS.items()}
    scores |= {"always_answer": fixed(tasks, settings, True, request.seed),
               "always_abstain": fixed(tasks, settings, False, request.seed)}  # fmt: skip
    labels = Counter(task.label for task in tasks)
    about = {
        **{str(label): count for label, count in labels.items()},
        "asked": "all" if request.everything else "the half that no weight was fitted on",
        "risk_target": target,
        "splits": SPLITS,
        "limit": request.limit,
        "seed": request.seed,
        "decision": decider.calibrations.made_by,
        "actions_gold": confusion(tasks, given),
        "actions_end_to_end": confusion(tasks, whole),
    }
    shipped = {**scores.pop("shipped"), **_at_default(tasks, whole, request.seed)}
    return BenchResult("answerability", str(request.path), len(tasks), shipped, scores, {}, about)


def passages_of(rows: "Sequence[DocumentRow]") -> tuple[Passage, ...]:
    """Documents as passages that a perfect search would have found."""
    return tuple(
        Passage(row.id, row.id, row.title, "given", 0, len(row.text), row.text, None, None, 1.0) for row in rows
    )


async def _said(decider: Decider, question: str, request: ChatRequest, passages: tuple[Passage, ...]) -> Said:
    decision = await decider.decide(question, request, passages)
    return _weighed(decision.reading, decision.probability, decision.action)


async def _end_to_end(services: "Services", question: str, request: ChatRequest) -> Said:
    result = await services.pipeline.run(request)
    reading = services.pipeline.decider.reader.first_look(question, result.passages)
    return _weighed(reading, result.confidence or 0.0, result.action)


def _weighed(reading: Reading | None, probability: float, action: Action) -> Said:
    candidates = reading.candidates if reading else ()
    cosine = max((candidate.cosine for candidate in candidates), default=0.0)
    overlap = max((candidate.overlap for candidate in candidates), default=0.0)
    return Said(probability, cosine, overlap, action)


def scored(tasks: Sequence[Task], said: Mapping[str, Sequence[Said]], by: Sureness, target: float, seed: int) -> Scores:
    """Of each setting: AUC of answerable against unanswerable, and risk and coverage on unseen questions."""
    found: dict[str, Score] = {}
    for setting, ones in said.items():
        known = [(by(one), task.label == "answerable") for task, one in zip(tasks, ones, strict=True)
                 if task.label != "partial"]  # fmt: skip
        sure, can = np.array([s for s, _ in known]), np.array([c for _, c in known], dtype=bool)
        found[f"auc_{setting}"] = bootstrapped((sure[can], sure[~can]), auc, seed, "BCa", vectorized=False)
        risk, coverage = risk_and_coverage(sure, can, target, seed)
        found[f"risk_{setting}"], found[f"coverage_{setting}"] = risk, coverage
    return found


def fixed(tasks: Sequence[Task], settings: Iterable[str], answers: bool, seed: int) -> Scores:
    """The same scores of whoever answers everything, or nothing."""
    wrong = [float(task.label == "unanswerable") for task in tasks if task.label != "partial"]
    found: dict[str, Score] = {}
    for setting in settings:
        found[f"auc_{setting}"] = Score(0.5, n=len(wrong))
        found[f"risk_{setting}"] = mean(wrong, seed) if answers else Score(None, n=len(wrong))
        found[f"coverage_{setting}"] = Score(float(answers), n=len(wrong))
    return found


def risk_and_coverage(
    sure: NDArray[np.float64], can: NDArray[np.bool_], target: float, seed: int
) -> tuple[Score, Score]:
    """Wrong answers over answers, and answers over questions, at thresholds that were fitted on other questions.

    Each of `SPLITS` random halves fits a threshold for the other half. Intervals resample questions, each with the
    share of splits in which it was answered.
    """
    n = len(sure)
    rng = np.random.default_rng(seed)
    answered, seen = np.zeros(n), np.zeros(n)
    for _ in range(SPLITS if n > 1 else 0):
        order = rng.permutation(n)
        fit, rest = order[: n // 2], order[n // 2 :]
        least = threshold(sure[fit], ~can[fit], target).value
        answered[rest] += sure[rest] >= least
        seen[rest] += 1
    share = np.divide(answered, seen, out=np.zeros(n), where=seen > 0)
    if not share.sum():
        return Score(None, n=n), mean(share.tolist(), seed)
    value = float((share * ~can).sum() / share.sum())
    draws = rng.integers(0, n, (2_000, n))
    total = share[draws].sum(axis=1)
    risks = np.divide((share * ~can)[draws].sum(axis=1), total, out=np.zeros(len(draws)), where=total > 0)
    low, high = np.quantile(risks, [0.025, 0.975])
    return Score(value, float(low), float(high), n), mean(share.tolist(), seed)


def _at_default(tasks: Sequence[Task], said: Sequence[Said], seed: int) -> Scores:
    """What the service does that nobody has calibrated: with the shipped threshold."""
    answers = [one.action in (Action.ANSWER, Action.PARTLY) for one in said]
    wrong = [float(task.label == "unanswerable") for task, does in zip(tasks, answers, strict=True) if does]
    return {"risk_shipped_threshold": mean(wrong, seed),
            "coverage_shipped_threshold": mean([float(does) for does in answers], seed)}  # fmt: skip


def confusion(tasks: Sequence[Task], said: Sequence[Said]) -> str:
    """Each label with what was done, at the shipped threshold: "answerable: answer 120, abstain 30; …"."""
    counts = Counter((task.label, str(one.action)) for task, one in zip(tasks, said, strict=True))
    labels = dict.fromkeys(task.label for task in tasks)
    return "; ".join(
        f"{label}: " + ", ".join(f"{action} {counts[label, action]}" for action in map(str, Action)
                                 if counts[label, action])
        for label in labels
    )  # fmt: skip
