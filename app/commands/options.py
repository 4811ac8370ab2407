"""Commands whose options are the fields of a dataclass.

Seven parameters are enough for a function, but not for a command.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import typer

Given = TypeVar("Given")


def parameters_of(options: type[Any]) -> list[inspect.Parameter]:
    """The fields of a dataclass as parameters of a function, in their order."""
    hints = get_type_hints(options, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(options)
    ]


def signed(run: Callable[..., None], like: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Give a function the help of another and the parameters that typer is to see."""
    run.__doc__ = like.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def command(cli: typer.Typer, name: str | None = None) -> Callable[[Callable[[Given], None]], None]:
    """Register `function(given)` as a command whose options are the fields of the dataclass `given`."""

    def register(function: Callable[[Given], None]) -> None:
        options = get_type_hints(function, include_extras=True)["given"]

        def run(**values: Any) -> None:
            function(options(**values))

        signed(run, function, parameters_of(options))
        cli.command(name or function.__name__.replace("_", "-"))(run)

    return register
