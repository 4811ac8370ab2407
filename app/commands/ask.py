"""`assay ask`, `assay search`: questions."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.shared import Corpus, Json, out, print_json, services_for
from retrieval.types import Access, Scope

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
    as_json: Json = False,
) -> None:
    """Show the passages that a question finds, with the score of each retriever."""
    with services_for(corpus=corpus) as services:
        found = asyncio.run(services.retriever.search(query, services.settings.corpus, k, _scope(tenant, group)))
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


def ask(question: str, corpus: Corpus = None, tenant: Tenant = "", group: Groups = None, as_json: Json = False) -> None:
    """Answer a question with citations, or say "I don't know"."""
    from app.rendering import result_json
    from app.types import ChatRequest

    with services_for(corpus=corpus) as services:
        request = ChatRequest(question, corpus=services.settings.corpus, scope=_scope(tenant, group))
        result = asyncio.run(services.pipeline.run(request))
    if as_json:
        print_json(result_json(result))
        return
    numbered = {citation: number for number, citation in enumerate(dict.fromkeys(
        citation for claim in result.claims for citation in claim.citations), start=1)}  # fmt: skip
    for claim in result.claims:
        marks = "".join(f"[cyan]\\[{numbered[citation]}][/]" for citation in claim.citations)
        out.print(f"{escape(claim.text)} {marks}")
    if result.abstained:
        out.print(result.answer)
    for citation, number in numbered.items():
        place = " · ".join(part for part in (citation.section, citation.page and f"page {citation.page}") if part)
        span = f"characters {citation.start}-{citation.end} of document {citation.doc_id}"
        out.print(f"[dim]\\[{number}] {escape(citation.uri)} · {escape(place)}\n    {span}[/]", highlight=False)
    out.print(f"[dim]{result.provider} · snapshot {result.snapshot} · {result.timings_ms['total']:.0f} ms[/]")


def _scope(tenant: str, groups: list[str] | None) -> Scope:
    return Scope(Access(tenant, frozenset(groups or ())))
