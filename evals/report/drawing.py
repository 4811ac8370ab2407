"""The only door to matplotlib: figures as inline SVG whose colours are CSS variables and whose text is text."""

import re
import warnings
from collections.abc import Callable
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 360
"""CSS pixels: a phone's width. Wider screens scale a figure up, none has to scale it down."""

# matplotlib wants colours that it can parse: each stands for the CSS variable of its name until the SVG is written.
INK, SOFT, LINE, GOOD, BAD, UNSURE, BASE, CANDIDATE, PAPER = (f"#0a0b{n:02x}" for n in range(1, 10))
_VARIABLES = {
    INK: "ink", SOFT: "soft", LINE: "line", GOOD: "good", BAD: "bad", UNSURE: "unsure", BASE: "base",
    CANDIDATE: "candidate", PAPER: "paper",
}  # fmt: skip

_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.unicode_minus": True,
}


def svg(name: str, title: str, height: int, paint: "Callable[[Axes], None]") -> str:
    """Draw a figure.

    Args:
        name: Tells the figure's ids from those of the others on the page; the same input gives the same characters.
        title: What a screen reader says.
        height: In CSS pixels, at a width of `WIDTH`.
        paint: Draws on the axes.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    written = StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the reader's fonts draw the text
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure.add_subplot())
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inline(written.getvalue(), name, title)


def empty(said: str) -> str:
    """In the place of a figure that would show nothing."""
    return f'<p class="empty">{escape(said)}</p>'


def _inline(drawn: str, name: str, title: str) -> str:
    """An SVG for the middle of a page: no prologue, no style sheet, ids of its own, colours from the page."""
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", drawn, flags=re.S)
    used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', drawn))
    drawn = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", drawn)
    drawn = re.sub(r'(href="|url\()#([\w.-]+)', rf"\1#{name}-\2", drawn)
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(colour, f"var(--{variable})")
    drawn = re.sub(r"font-family:[^;\"]*;?|(font: [^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1", drawn)
    head, tail = drawn.split(">", 1)
    head = re.sub(r' (width|height|version)="[^"]*"', "", head)
    label = escape(title)
    return f'{head} role="img" aria-label="{label}"><title>{label}</title>{tail}'.strip()
