"""`assay serve`, `assay keys`: the service."""

from typing import Annotated

import typer
from rich.markup import escape

from app import __version__
from app.commands.shared import Corpus, err, out, services_for
from app.llm.routes import ensure_priced
from app.settings import load_settings
from retrieval.types import Access

keys = typer.Typer(no_args_is_help=True, help="API keys: needed to serve on anything but this machine.")


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    cli.command()(serve)
    cli.add_typer(keys, name="keys")


def serve(
    host: Annotated[str | None, typer.Option(help="Address; anything but loopback needs API keys.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; ASSAY_PORT, or 8000.")] = None,
    corpus: Corpus = None,
) -> None:
    """Serve the chat API and its page."""
    from app.http.serve import address
    from app.http.serve import serve as run_server

    settings = load_settings(corpus=corpus, port=port)
    if host is not None:
        settings = settings.model_copy(update={"http": settings.http.model_copy(update={"host": host})})
    out.print(f"Assay {__version__} on [bold]{address(settings)}[/]  (Ctrl-C stops it)")
    run_server(settings)


@keys.command("create")
def create_key(
    name: str,
    tenant: Annotated[str, typer.Option(help="Whose documents it sees, beside shared ones.")] = "",
    group: Annotated[list[str] | None, typer.Option(help="A group of the tenant; may be given again.")] = None,
    usd_per_day: Annotated[
        float | None,
        typer.Option(min=0, help="What it may spend on models in a UTC day. Default: `spending.usd_per_key_day`."),
    ] = None,
) -> None:
    """Make an API key and print it once."""
    with services_for() as services:
        if usd_per_day is not None:
            ensure_priced(services.routes, services.pipeline.prices)
        key = services.keys.create(name, Access(tenant, frozenset(group or ())), usd_per_day)
    out.print(f"[bold]{key}[/]", soft_wrap=True)
    err.print("Keep it now: only its hash is stored. Send it as `Authorization: Bearer …`.")


@keys.command("list")
def list_keys() -> None:
    """Print the names of the keys, with tenant and groups."""
    with services_for() as services:
        found = services.keys.all()
    for name, access in found:
        groups = f"  groups {', '.join(sorted(access.groups))}" if access.groups else ""
        tenant = f"  tenant {access.tenant}" if access.tenant else ""
        out.print(escape(name + tenant + groups), highlight=False)


@keys.command("spent")
def print_spent(
    day: Annotated[str | None, typer.Option(help="UTC, as 2026-01-31. Default: today.")] = None,
) -> None:
    """Print what each key spent on models in a day; `*` is all of them together."""
    with services_for() as services:
        rows = services.spending.of_day(day)
    for row in rows:
        waiting = f"  and {row.reserved_usd:.6f} reserved" if row.reserved_usd else ""
        out.print(escape(f"{row.payer or 'without a key'}  {row.spent_usd:.6f} USD{waiting}"), highlight=False)


@keys.command("revoke")
def revoke_key(name: str) -> None:
    """Make a key worthless at once."""
    with services_for() as services:
        services.keys.revoke(name)
