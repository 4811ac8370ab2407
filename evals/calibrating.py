"""Fit a corpus's threshold to a stated risk on the dev cases of its golden set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from app.deciding.calibration import Calibration
from app.deciding.risk import Threshold, threshold
from app.pipeline import unrecorded
from app.types import ChatResult
from evals.errors import EvalsError
from evals.golden.cases import Case
from evals.running.runner import Step
from evals.scorers.answer_match import says_right

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.golden.sets import GoldenSet

Loss = Literal["wrong", "unanswerable"]
"""What counts as wrong: any answer that is not right, or only an answer where none can be given."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A case that was answered whatever its probability, and whether that answer is wrong."""

    case: Case
    probability: float
    wrong: bool


async def weigh(
    services: "Services", golden: "GoldenSet", corpus: str, loss: Loss, progress: Step | None = None
) -> list[Weighed]:
    """Have the pipeline that serves answer every case that it would otherwise weigh up, and judge what it says."""
    decider = replace(services.pipeline.decider, threshold=0.0, clarifies=False)
    pipeline = replace(services.pipeline, decider=decider, record=unrecorded)
    cases = [case for case in golden.cases if _counts(case)]
    found = []
    for done, case in enumerate(cases, start=1):
        result = await pipeline.run(case.request(corpus))
        found.append(Weighed(case, result.confidence or 0.0, _wrong(case, result, loss)))
        if progress is not None:
            progress("cases", done, len(cases))
    return found


def calibrated(
    services: "Services", corpus: str, weighed: Sequence[Weighed], golden: "GoldenSet", loss: Loss
) -> Calibration:
    """The calibration that these cases give. It answers nothing where no threshold meets the target.

    Raises:
        EvalsError: There are too few cases for any threshold to meet the target.
    """
    calibrations = services.pipeline.decider.calibrations
    target = calibrations.target
    if len(weighed) < 1 / target:
        raise EvalsError(
            f"{len(weighed)} cases cannot show a risk of {target:g}: at least {round(1 / target)} are needed, several "
            "hundred are better. Add cases to the golden set, or raise chat.risk_target."
        )
    snapshot, _ = services.reader.current(corpus)
    probabilities = [one.probability for one in weighed]
    return Calibration(
        corpus=corpus,
        snapshot=snapshot,
        cases_sha256=golden.sha256,
        made_by=calibrations.made_by,
        loss=loss,
        target=target,
        threshold=threshold(probabilities, [one.wrong for one in weighed], target),
        probabilities=tuple(sorted(round(value, 4) for value in probabilities)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def at(weighed: Sequence[Weighed], least: float) -> Threshold:
    """What another threshold would do on the same cases."""
    answered = [one for one in weighed if one.probability >= least]
    return Threshold(least, len(weighed), len(answered), sum(one.wrong for one in answered))


def _counts(case: Case) -> bool:
    """A question to answer, to abstain from or to ask back on; not one for guards or tools."""
    kinds = ("answerable", "unanswerable", "underspecified", "multi_turn")
    return case.kind in kinds and case.retired is None and not case.additions


def _wrong(case: Case, result: ChatResult, loss: Loss) -> bool:
    if case.gold.action != "answer":
        return True
    return loss == "wrong" and not says_right(case, result)
