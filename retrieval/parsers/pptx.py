"""PPTX: a slide is a page, its title a heading."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from retrieval.canonical import CanonicalText
from retrieval.parsers.ooxml import core_title
from retrieval.types import ParsedText

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def parse(data: bytes) -> ParsedText:
    """Parse a presentation: text, tables, charts' numbers and speaker notes."""
    from pptx.package import Package

    # Not pptx.Presentation(): it refuses slide shows and templates, which are built the same way.
    presentation = Package.open(io.BytesIO(data)).presentation_part.presentation
    out = CanonicalText()
    for number, slide in enumerate(presentation.slides, start=1):
        out.begin_page(str(number))
        title = slide.shapes.title
        if title is not None:
            out.heading(1, title.text_frame.text)
        for shape in _flat(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                _write_shape(shape, out)
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
            text = notes.text.strip()
            out.block(f"Notes: {text}" if text else "")
    return out.build(MEDIA_TYPE, core_title(data))


def _flat(shapes: Iterable[Any]) -> Iterator[Any]:
    """Yield the shapes in order, those in groups in the place of their group."""
    pending = list(shapes)[::-1]
    while pending:
        shape = pending.pop()
        if hasattr(shape, "shapes"):
            pending += list(shape.shapes)[::-1]
        else:
            yield shape


def _write_shape(shape: Any, out: CanonicalText) -> None:
    if shape.has_text_frame:
        out.block("\n".join(line for paragraph in shape.text_frame.paragraphs if (line := paragraph.text.strip())))
    elif getattr(shape, "has_table", False):
        rows = ([" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows)
        out.block("\n".join(" | ".join(row).rstrip(" |") for row in rows if any(row)))
    elif getattr(shape, "has_chart", False):
        out.block(_chart_text(shape.chart))


def _chart_text(chart: Any) -> str:
    """Read title, series and numbers from the chart's XML: python-pptx refuses some kinds of chart."""
    title = "".join(node.text or "" for node in chart.element.iterfind(f"{_CHART}chart/{_CHART}title//{_DRAWING}t"))
    lines = [title] if title else []
    for series in chart.element.iter(f"{_CHART}ser"):
        name = " ".join(_points(series, "tx").values())
        categories = _points(series, "cat") or _points(series, "xVal")
        values = _points(series, "val") or _points(series, "yVal")
        pairs = (f"{categories.get(index, '')} {value}".strip() for index, value in values.items())
        lines.append(f"{name}: " + "; ".join(pairs))
    return "\n".join(lines)


def _points(series: Any, role: str) -> dict[str, str]:
    points = series.iterfind(f"{_CHART}{role}//{_CHART}pt")
    return {point.get("idx"): point.findtext(f"{_CHART}v") or "" for point in points}
