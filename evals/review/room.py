"""What the pages of a review do. One handler a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from app.http.local_page import Page, PageRequest, Redirect, Reply, Routes
from evals.errors import GoldenSetError
from evals.golden.cases import Kind
from evals.review.adopting import AdoptingDesk
from evals.review.desk import Desk
from evals.review.evidence import gold_views, passage_views
from evals.review.form import FormValues, values_in, values_of
from evals.review.misses import confusing
from evals.review.pages import query, render
from evals.review.types import CAUSES, SEVERITIES, Row

PAGE_ROWS = 100
FILTERS = ("show", "kind", "slice", "severity", "cause")
SHOWN = {
    "": "All",
    "misses": "Misses",
    "changed": "Changed against the baseline",
    "unlabelled": "Misses without a label",
}
_SAVED = {"label": "The label is on record.", "fix": "The case is fixed, on record.", "same": "Nothing was changed.",
          "retire": "The case is retired, on record.", "adopt": "The draft is a case now.",
          "discard": "The draft is discarded."}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewRoom:
    """The pages over a desk. A refusal is shown on the page that it belongs to, with what was typed still there."""

    desk: Desk

    def routes(self) -> Routes:
        """Every page."""
        drafts = DraftPages(AdoptingDesk(self.desk))
        return {
            ("GET", "/"): self.cases,
            ("GET", "/case/{name}"): self.case,
            ("POST", "/case/{name}/label"): self.label,
            ("POST", "/case/{name}/fix"): self.fix,
            ("POST", "/case/{name}/retire"): self.retire,
            ("GET", "/trail"): self.trail,
            ("GET", "/drafts"): drafts.list,
            ("GET", "/draft/{set}/{name}"): drafts.one,
            ("POST", "/draft/{set}/{name}/adopt"): drafts.adopt,
            ("POST", "/draft/{set}/{name}/discard"): drafts.discard,
        }

    async def cases(self, request: PageRequest) -> Reply:
        """The list, and the parts that go wrong most."""
        filters = _filters(request)
        rows = self._filtered(filters)
        pages = max(1, -(-len(rows) // PAGE_ROWS))
        at = min(max(_whole(request.query.get("page", "1")), 1), pages)
        return render(
            "cases",
            desk=self.desk,
            rows=rows[(at - 1) * PAGE_ROWS : at * PAGE_ROWS],
            found=len(rows),
            labels=self.desk.own_labels(),
            parts_found=confusing(self.desk.rows),
            filters=filters,
            shown=SHOWN,
            slices=sorted({name for row in self.desk.rows for name in row.case.slices}),
            kinds=[kind for kind in get_args(Kind) if any(row.case.kind == kind for row in self.desk.rows)],
            at=at,
            pages=pages,
        )

    async def case(self, request: PageRequest) -> Reply:
        """One case."""
        row = self.desk.row(request.path["name"])
        return self._case(request, row, said=_SAVED.get(request.query.get("saved", ""), "")) if row else None

    async def label(self, request: PageRequest) -> Reply:
        """A cause, with a note."""
        row = self.desk.row(request.path["name"])
        if row is None:
            return None
        cause = next((one for one in CAUSES if one == request.form.get("cause")), None)
        if cause is None or request.form.keys() - {"cause", "note"}:
            return self._case(request, row, wrong="Choose one of the six causes.")
        try:
            self.desk.label(row, cause, request.form.get("note", ""))
        except GoldenSetError as error:
            return self._case(request, row, wrong=str(error))
        return self._saved(request, row, "label")

    async def fix(self, request: PageRequest) -> Reply:
        """The case put right."""
        row = self.desk.row(request.path["name"])
        if row is None:
            return None
        form = dict(request.form)
        seen, note = form.pop("seen", ""), form.pop("note", "")
        values = None
        try:
            values = values_in(form)
            changed = self.desk.fix(row, values, seen, note)
        except GoldenSetError as error:
            return self._case(request, row, wrong=str(error), values=values)
        return self._saved(request, row, "fix" if changed else "same")

    async def retire(self, request: PageRequest) -> Reply:
        """The case out of use."""
        row = self.desk.row(request.path["name"])
        if row is None:
            return None
        try:
            self.desk.retire(row, request.form.get("reason", ""), request.form.get("seen", ""))
        except GoldenSetError as error:
            return self._case(request, row, wrong=str(error))
        return self._saved(request, row, "retire")

    async def trail(self, request: PageRequest) -> Reply:
        """Everything that was done, newest first."""
        return render("trail", desk=self.desk, entries=list(reversed(self.desk.visible())))

    def _case(
        self, request: PageRequest, row: Row, said: str = "", wrong: str = "", values: FormValues | None = None
    ) -> Reply:
        filters = _filters(request)
        rows = self._filtered(filters, kept=row)
        at = next(number for number, one in enumerate(rows) if one.case.id == row.case.id)
        now, texts, result = self.desk.now(row), self.desk.texts(row), row.candidate.record.result
        visible = [(entry, open_) for entry, open_ in self.desk.visible() if entry.case_id == row.case.id]
        html = render(
            "case",
            desk=self.desk,
            row=row,
            now=now,
            own=self.desk.own_labels().get(row.case.id),
            trail=list(reversed(visible)),
            gold=gold_views(row.case, result, texts),
            passages=passage_views(row.case, result, texts) if result else [],
            values=values or (values_of(now.model_dump(mode="json")) if now else None),
            editing=values is not None,
            before=rows[at - 1].case.id if at else None,
            after=rows[at + 1].case.id if at + 1 < len(rows) else None,
            place=(at + 1, len(rows)),
            filters=filters,
            csrf=request.csrf,
            said=said,
            wrong=wrong,
        )
        return Page(html, 409) if wrong else html

    def _saved(self, request: PageRequest, row: Row, what: str) -> Redirect:
        return Redirect(f"/case/{row.case.id}{query(_filters(request), saved=what)}")

    def _filtered(self, filters: dict[str, str], kept: Row | None = None) -> Sequence[Row]:
        """The rows that the filters leave; `kept` stays, so that a page does not lose its place once it is labelled."""
        labels = self.desk.own_labels()

        def wanted(row: Row) -> bool:
            label = labels.get(row.case.id)
            return (
                filters["kind"] in ("", row.case.kind)
                and filters["severity"] in ("", row.case.severity)
                and (not filters["slice"] or filters["slice"] in row.case.slices)
                and (not filters["cause"] or (label is not None and label.cause == filters["cause"]))
                and (filters["show"] != "misses" or bool(row.how))
                and (filters["show"] != "changed" or row.changed)
                and (filters["show"] != "unlabelled" or (bool(row.how) and label is None))
            )

        return [row for row in self.desk.rows if row is kept or wanted(row)]


@dataclass(frozen=True, slots=True)
class DraftPages:
    """Turns that were promoted and wait for a person's answer."""

    desk: AdoptingDesk

    async def list(self, request: PageRequest) -> Reply:
        """All drafts."""
        said = _SAVED.get(request.query.get("saved", ""), "")
        return render("drafts", desk=self.desk.desk, drafts=self.desk.waiting(), said=said)

    async def one(self, request: PageRequest) -> Reply:
        """One draft."""
        return self._one(request)

    async def adopt(self, request: PageRequest) -> Reply:
        """The draft, finished, as a case."""
        values = None
        try:
            values = values_in(request.form)
            found = self.desk.adopt(request.path["set"], request.path["name"], values)
        except GoldenSetError as error:
            return self._one(request, str(error), values)
        return Redirect(f"/drafts{query({'saved': 'adopt'})}") if found else None

    async def discard(self, request: PageRequest) -> Reply:
        """The draft out of the way."""
        found = self.desk.discard(request.path["set"], request.path["name"])
        return Redirect(f"/drafts{query({'saved': 'discard'})}") if found else None

    def _one(self, request: PageRequest, wrong: str = "", values: FormValues | None = None) -> Reply:
        draft = self.desk.draft(request.path["set"], request.path["name"])
        if draft is None:
            return None
        html = render(
            "draft",
            desk=self.desk.desk,
            set_name=request.path["set"],
            draft=draft,
            values=values or values_of(draft.stated()),
            csrf=request.csrf,
            wrong=wrong,
        )
        return Page(html, 409) if wrong else html


def _filters(request: PageRequest) -> dict[str, str]:
    """The filters of a query; what no filter knows counts as none."""
    found = {name: request.query.get(name, "") for name in FILTERS}
    known = {"show": SHOWN, "severity": SEVERITIES, "cause": CAUSES, "kind": get_args(Kind)}
    return {name: value if name not in known or value in known[name] else "" for name, value in found.items()}


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1
