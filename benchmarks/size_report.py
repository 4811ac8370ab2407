"""Markdown tables and plots of what `bench_size` found."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

MB = 1_000_000
Found = Sequence[dict[str, Any]]


def tables(found: Found) -> str:
    """All of it as Markdown."""
    parts = [
        _table(
            ["chunks", "kind", "looks at", "built in", "peak while built", "on disk", "cold open", "first query"],
            [
                [
                    f"{one['rows']:,}",
                    one["kind"],
                    one["width"],
                    f"{one['build_s']:.1f} s",
                    _mb(one["build_peak_bytes"]),
                    _mb(one["bytes"]),
                    f"{one['open_s']:.2f} s",
                    f"{1000 * one['first_query_s']:.0f} ms",
                ]
                for one in found
            ],
        ),
        _table(
            [
                "chunks",
                "kind",
                "resident: libraries",
                "opened",
                "after 200 queries",
                "and filters",
                "of that anonymous",
            ],
            [
                [
                    f"{one['rows']:,}",
                    one["kind"],
                    *(_mb(one["memory"][when]["Rss"]) for when in ("before", "opened", "queried", "filtered")),
                    _mb(one["memory"]["filtered"]["Anonymous"]),
                ]
                for one in found
            ],
        ),
        _table(
            [
                "chunks",
                "kind",
                "dense p50 / p95, files not in memory",
                "dense p50 / p95",
                "words p50 / p95",
                "both p50 / p95",
            ],
            [
                [
                    f"{one['rows']:,}",
                    one["kind"],
                    *(_ms(one["latency"][part]) for part in ("dense, cold", "dense", "words", "both")),
                ]
                for one in found
            ],
        ),
        _table(
            ["chunks", "kind", "filter", "rows admitted", "recall@10", "dense p50 / p95", "both p50 / p95"],
            [
                [
                    f"{one['rows']:,}",
                    one["kind"],
                    name,
                    f"{one['admitted'][name]:,}",
                    f"{said['recall']:.4f}",
                    _ms(said["dense"]),
                    _ms(said["both"]),
                ]
                for one in found
                for name, said in one["filters"].items()
            ],
        ),
        _table(["from", "to", "build", "disk", "resident", "dense p50", "words p50", "both p50"], _growth(found)),
        "Mean cosine of a question with the best and the tenth row: "
        + ", ".join(f"{one['cosine_of_best']:.2f} and {one['cosine_of_tenth']:.2f} ({one['rows']:,})" for one in found),
    ]
    return "\n\n".join(parts)


def draw(found: Found, folder: Path) -> None:
    """Latency and memory over the number of chunks, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    sizes = [one["rows"] for one in found]
    for name, unit, lines in (
        (
            "size-latency",
            "milliseconds a query",
            {
                f"{part} {rank}": [one["latency"][part][rank] for one in found]
                for part in ("dense", "words", "both")
                for rank in ("p50", "p95")
            },
        ),
        (
            "size-memory",
            "megabytes",
            {
                "on disk": [one["bytes"] / MB for one in found],
                "resident after 200 queries": [one["memory"]["queried"]["Rss"] / MB for one in found],
                "of that anonymous": [one["memory"]["queried"]["Anonymous"] / MB for one in found],
                "resident when opened": [one["memory"]["opened"]["Rss"] / MB for one in found],
            },
        ),
    ):
        figure, axes = pyplot.subplots(figsize=(7, 4.2), dpi=120)
        for number, (label, values) in enumerate(lines.items()):
            dashed = label.endswith("p95")
            colour = f"C{number // 2 if unit.startswith('milli') else number}"
            axes.plot(sizes, values, "--" if dashed else "-", color=colour, marker="o", markersize=4, label=label)
        axes.set(xscale="log", yscale="log", xlabel="chunks", ylabel=unit)
        axes.set_xticks(sizes, [f"{one['rows']:,}\n{one['kind']}" for one in found])
        axes.minorticks_off()
        axes.grid(visible=True, alpha=0.25)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        figure.tight_layout()
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.png")
        pyplot.close(figure)


def _growth(found: Found) -> list[list[str]]:
    rows = []
    for less, more in pairwise(found):
        values = [
            (
                one["build_s"],
                one["bytes"],
                one["memory"]["queried"]["Rss"],
                *(one["latency"][part]["p50"] for part in ("dense", "words", "both")),
            )
            for one in (less, more)
        ]
        factors = [f"x {after / before:.1f}" for before, after in zip(*values, strict=True)]
        rows.append([f"{less['rows']:,} {less['kind']}", f"{more['rows']:,} {more['kind']}", *factors])
    return rows


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mb(size: float) -> str:
    return f"{size / MB:,.0f} MB"


def _ms(said: dict[str, float]) -> str:
    return f"{said['p50']:.1f} / {said['p95']:.1f} ms"
