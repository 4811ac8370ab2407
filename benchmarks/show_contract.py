"""What a contract says of five accidents of a data pipeline, made on copies of a small product catalogue.

python benchmarks/show_contract.py
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from app.bootstrap import build
from app.settings import Settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.files import folders, list_files
from retrieval.types import IngestReport

CONTRACT = "documents: {min: 10}\nlanguages: [en]\nduplicates: {max_share: 0.1}\n"
NAMES = (
    "Alder desk|Birch bench|Cedar shelf|Dune armchair|Elm wardrobe|Fjord sofa|Gale floor lamp|Heron desk lamp|"
    "Iris side table|Juniper bed|Kelp stool|Larch cabinet|Moss ottoman|Nord bookcase|Orchid vanity|Pine chest|"
    "Quartz table lamp|Reed screen|Sable recliner|Teak dresser"
).split("|")
MATERIALS = ("solid oak", "oiled beech", "powder-coated steel", "ash veneer", "linen and pine")
USES = (
    "It was drawn for small flats and stands well in a corner by the window.",
    "Families with children like its rounded edges and the cover that comes off for washing.",
    "Two people put it together in half an hour; every screw and the one key are in the box.",
    "It is made to order in our own workshop, and the finish can be chosen from four colours.",
)
GERMAN = (
    "# {0}\n\nDieses Möbelstück steht gut in kleinen Wohnungen und wird in unserer eigenen Werkstatt gefertigt. "
    "Zwei Personen bauen es in einer halben Stunde auf, alle Schrauben und der Schlüssel liegen bei.\n"
)


def product(number: int) -> str:
    """One product's sheet: lamps name the metres of their cable, everything has a height and a width."""
    name, tall = NAMES[number], 45 + 37 * number % 160
    cable = f" The cable is {1.5 + number % 3 / 2} m long." if "lamp" in name else ""
    return (
        f"---\nprice: {39 + 23 * number}.90\nheight: {tall} cm\n---\n# {name}\n\n"
        f"The {name} is made of {MATERIALS[number % 5]} and costs {39 + 23 * number}.90 EUR with delivery. "
        f"It has a height of {tall} cm and a width of {40 + 11 * number % 90} cm.{cable}\n\n"
        f"{USES[number % 4]} {USES[(number + 1 + number // 4) % 4]} Ask for the {name} in our shop.\n"
    )


def rewrite(folder: Path, pattern: str, new: Callable[[re.Match[str]], str]) -> None:
    """Replace in every file."""
    for path in folder.iterdir():
        path.write_text(re.sub(pattern, new, path.read_text(encoding="utf-8")), encoding="utf-8")


def in_cents(folder: Path) -> None:
    """Prices of text and attributes are a hundred times what they were."""
    rewrite(folder, r"(\d+)\.90", lambda found: f"{found[1]}90")


def in_metres(folder: Path) -> None:
    """Heights of text and attributes, not widths, are in metres."""
    rewrite(folder, r"(height: |height of )(\d+) cm", lambda found: f"{found[1]}{int(found[2]) / 100:.2f} m")


def half_gone(folder: Path) -> None:
    """Every second file is gone."""
    for path in sorted(folder.iterdir())[::2]:
        path.unlink()


def german(folder: Path) -> None:
    """Five more documents are German."""
    for name in NAMES[:5]:
        (folder / f"neu-{name}.md").write_text(GERMAN.format(name), encoding="utf-8")


def copied(folder: Path) -> None:
    """Nine more documents, of 29, are copies with another last line."""
    for path in sorted(folder.iterdir())[:9]:
        text = path.read_text(encoding="utf-8")
        (folder / f"copy-of-{path.name}").write_text(f"{text}\nRevised.\n", encoding="utf-8")


ACCIDENTS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda folder: None,
    "prices in cents": in_cents,
    "heights in metres": in_metres,
    "half of the files gone": half_gone,
    "German documents": german,
    "near-duplicates, 9 of 29": copied,
}


def run(home: Path, original: Path, accident: Callable[[Path], None]) -> IngestReport:
    """Ingest the catalogue into a home of its own, then a copy with the accident in its place."""
    folder = home / "catalogue"
    shutil.copytree(original, folder)
    services = build(Settings(home=home / "assay"), embedder=HashingEmbedder())
    services.ingestor.gate.install("default", original.parent / "contract.yaml")
    first = services.ingestor.ingest(list_files([folder]), "default")
    if not first.switched:
        raise SystemExit(f"The catalogue itself breaks the contract: {first.breaches}")
    accident(folder)
    report = services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))
    if not report.switched and report.snapshot != first.snapshot:
        raise SystemExit("The snapshot that served does not serve any more.")
    return report


def main() -> None:
    """Print a Markdown table."""
    print("| accident | rule | documents | message | exit code | serves |\n|---|---|---|---|---|---|")
    with TemporaryDirectory() as place:
        original = Path(place) / "original"
        original.mkdir()
        (Path(place) / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
        for number, name in enumerate(NAMES):
            (original / f"{name.lower().replace(' ', '-')}.md").write_text(product(number), encoding="utf-8")
        for number, (name, accident) in enumerate(ACCIDENTS.items()):
            report = run(Path(place) / str(number), original, accident)
            end = "0 | new" if report.switched else "1 | old"
            for breach in report.breaches:
                print(f"| {name} | {breach.rule} | {breach.count} | {breach.message} | {end} |")
            if not report.breaches:
                print(f"| {name} | none | | | {end} |")


if __name__ == "__main__":
    main()
