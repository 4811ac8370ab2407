"""Drafts that become cases at the desk."""

from dataclasses import dataclass

from evals.golden.cases import load_cases
from evals.golden.sets import load_golden_set
from evals.review.audit import act
from evals.review.desk import Desk
from evals.review.drafts import Draft, DraftBox
from evals.review.edits import record
from evals.review.evidence import check_evidence, text_by_uri
from evals.review.form import FormValues, with_values
from evals.review.promotion import check_admitted


@dataclass(frozen=True, slots=True)
class AdoptingDesk:
    """The drafts of the golden sets of a desk's run."""

    desk: Desk

    def waiting(self) -> list[tuple[str, Draft]]:
        """Every draft that nobody discarded, with the name of its golden set."""
        return [(name, draft) for name in self.desk.set_names for draft in self._box(name).all() if not draft.discarded]

    def draft(self, set_name: str, draft_id: str) -> Draft | None:
        """One of them."""
        return next((draft for name, draft in self.waiting() if (name, draft.id) == (set_name, draft_id)), None)

    def adopt(self, set_name: str, draft_id: str, values: FormValues) -> bool:
        """Make a case of a draft; False where there is no such draft.

        Raises:
            GoldenSetError: It would be no case, asks what another one asks, or its document is the test split's.
        """
        draft = self.draft(set_name, draft_id)
        if draft is None:
            return False
        case = with_values(draft.stated(), values)
        if case.gold.evidence:
            case = case.model_copy(update={"group": case.gold.evidence[0].uri})
        golden = load_golden_set(self.desk.root, set_name)
        check_admitted(case, load_cases(golden.folder / "cases.jsonl"))
        texts = self.desk.texts_of(golden, None)
        if texts is not None:
            check_evidence(case, lambda uri: text_by_uri(texts, uri))
        record(golden.folder, act(self.desk.reviewer, "promote", None, case, turn_id=draft.turn_id))
        self._box(set_name).remove(draft_id)
        return True

    def discard(self, set_name: str, draft_id: str) -> bool:
        """Put a draft out of the way; False where there is no such draft."""
        draft = self.draft(set_name, draft_id)
        if draft is None:
            return False
        self._box(set_name).add([draft.model_copy(update={"discarded": True})])
        return True

    def _box(self, set_name: str) -> DraftBox:
        return DraftBox(self.desk.home, set_name)
