"""The `assay` command.

Exit codes: 0 done; 1 done, but something the caller asked to be strict about is amiss; 2 misuse or a setting to mend.
"""

import logging
import sys
from typing import NoReturn

import typer
from rich.markup import escape

from app import __version__
from app.commands import ask, batch, corpus, forget, ingest, lineage, serve
from app.commands.shared import err, out
from app.errors import AssayError
from retrieval.errors import RetrievalError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers over your documents, each claim tied to the exact characters that support it.",
)
for subject in (ingest, ask, batch, lineage, corpus, serve, forget):
    subject.add_to(cli)


def main() -> NoReturn:
    """Run the command; an error that the user can mend is one line, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        cli()
    except (AssayError, RetrievalError) as error:
        err.print(f"[red]assay:[/] {escape(str(error))}")
    sys.exit(2)


@cli.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


if __name__ == "__main__":
    main()
