"""Imported by the fork server alone, and for its side effects: what is loaded here, every parser worker has at once.

Workers forked from it start in milliseconds; without it each would spend a second on imports and the language model.
"""

import importlib

import py3langid

_LIBRARIES = (
    "charset_normalizer",
    "defusedxml.ElementTree",
    "mammoth",
    "markdown_it",
    "pptx.package",
    "pypdfium2",
    "python_calamine",
    "retrieval.workers",
    "selectolax.lexbor",
    "trafilatura",
    "yaml",
)

for _name in _LIBRARIES:
    importlib.import_module(_name)
py3langid.classify("the model is loaded with the first text")
