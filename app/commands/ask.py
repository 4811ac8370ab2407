"""`assay ask`, `assay search`: questions."""

import asyncio
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.shared import Corpus, Json, out, print_json, services_for
from retrieval.types import Access, Scope

if TYPE_CHECKING:
    from app.bootstrap import Services
    from app.types import ChatResult, Claim

Tenant = Annotated[str, typer.Option(help="Ask as this tenant.")]
Groups = Annotated[list[str] | None, typer.Option(help="Ask as a member of this group; may be given again.")]


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    cli.command()(search)
    cli.command()(ask)


def search(
    query: str,
    k: Annotated[int, typer.Option(min=1, max=1000, help="How many passages.")] = 10,
    corpus: Corpus = None,
    tenant: Tenant = "",
    group: Groups = None,
    explain: Annotated[bool, typer.Option(help="Show why each passage stands where it does.")] = False,
    as_json: Json = False,
) -> None:
    """Show the passages that a question finds, with the score of each retriever."""
    with services_for(corpus=corpus) as services:
        scope, chosen = _scope(tenant, group), services.settings.corpus
        if explain:
            _explain_search(services, query, k, scope, as_json=as_json)
            return
        found = asyncio.run(services.retriever.search(query, chosen, k, scope))
    if as_json:
        print_json(asdict(found))
        return
    parts = list(dict.fromkeys(name for passage in found.passages for name in passage.parts))
    table = Table("", "score", *parts, "document", "passage", caption=f"snapshot {found.snapshot}")
    for number, passage in enumerate(found.passages, start=1):
        scores = (f"{passage.parts[name]:.2f}" if name in passage.parts else "–" for name in parts)
        where = " · ".join(part for part in (passage.title, passage.page and f"page {passage.page}") if part)
        text = " ".join(passage.text.split())
        table.add_row(str(number), f"{passage.score:.3f}", *scores, escape(where), escape(text[:160]))
    out.print(table)


def _explain_search(services: "Services", query: str, k: int, scope: Scope, *, as_json: bool) -> None:
    from app.commands.explained import print_search
    from retrieval.explain import explain

    found = asyncio.run(explain(services.retriever, query, services.settings.corpus, k, scope))
    if as_json:
        print_json(asdict(found))
    else:
        print_search(found)


def ask(
    question: str,
    corpus: Corpus = None,
    tenant: Tenant = "",
    group: Groups = None,
    explain: Annotated[bool, typer.Option(help="Show what each passage carried of each claim, and why.")] = False,
    as_json: Json = False,
) -> None:
    """Answer a question with citations, in full or in part; ask back; or say "I don't know"."""
    from app.explain import explain_answer
    from app.rendering import result_json
    from app.types import ChatRequest

    with services_for(corpus=corpus) as services:
        request = ChatRequest(question, corpus=services.settings.corpus, scope=_scope(tenant, group))
        result = asyncio.run(services.pipeline.run(request))
        explained = None
        if explain:
            same = replace(request, scope=replace(request.scope, snapshot=result.snapshot))
            explained = asyncio.run(explain_answer(services.pipeline, same, result.claims, result.provider))
    if as_json:
        print_json(result_json(result) | ({"explanation": asdict(explained)} if explained else {}))
        return
    _print_result(result)
    if explained:
        from app.commands.explained import print_answer

        print_answer(explained)


def _print_result(result: "ChatResult") -> None:
    numbered = {citation: number for number, citation in enumerate(dict.fromkeys(
        citation for claim in result.claims for citation in claim.citations), start=1)}  # fmt: skip
    for claim in result.claims:
        marks = "".join(f"[cyan]\\[{numbered[citation]}][/]" for citation in claim.citations)
        out.print(f"{_highlighted(claim)} {marks}")
    if unsaid := result.answer[max((claim.end for claim in result.claims), default=0) :].strip():
        out.print(unsaid, markup=False)  # what is missing, or what is said in place of an answer
    for citation, number in numbered.items():
        place = " · ".join(part for part in (citation.section, citation.page and f"page {citation.page}") if part)
        span = f"characters {citation.start}-{citation.end} of document {citation.doc_id}"
        out.print(f"[dim]\\[{number}] {escape(citation.uri)} · {escape(place)}\n    {span}[/]", highlight=False)
    sure = "" if result.confidence is None else f" · confidence {result.confidence:.2f}"
    out.print(f"[dim]{result.provider} · snapshot {result.snapshot}{sure} · {result.timings_ms['total']:.0f} ms[/]")
    if result.attempts:
        cost = "cost not known" if result.cost_usd is None else f"{result.cost_usd:.6f} USD"
        steps = f" · {', '.join(result.degraded)}" if result.degraded else ""
        out.print(f"[dim]calls of models: {result.attempts} · {cost}{steps}[/]", highlight=False)
    out.print(f"[dim]turn {result.turn_id}[/]", highlight=False)


def _highlighted(claim: "Claim") -> str:
    """The claim, with the words that answer in bold."""
    if claim.highlight is None:
        return escape(claim.text)
    start, end = claim.highlight
    return f"{escape(claim.text[:start])}[bold]{escape(claim.text[start:end])}[/]{escape(claim.text[end:])}"


def _scope(tenant: str, groups: list[str] | None) -> Scope:
    return Scope(Access(tenant, frozenset(groups or ())))
