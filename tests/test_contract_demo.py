"""Accidents of a data pipeline on the command line, files in and exit code out, and the alert that tells of them."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app import bootstrap, cli
from app.bootstrap import Services, build
from app.settings import Settings
from retrieval.embedders.hashing import HashingEmbedder

Assay = Callable[..., tuple[int, str, str]]
Accident = Callable[[Path], None]
Posts = list[tuple[str, bytes]]
CONTRACT = "documents: {min: 1}\nduplicates: {max_share: 0.2}\n"
TOPICS = "harbour pump valve mast rudder anchor engine galley compass sail hull winch lantern tiller".split()
SECOND = "Read the manual before the first use, keep the {} dry in winter and have it looked at by a yard every year."
DEUTSCH = (
    "# {0}\n\nDieses Blatt beschreibt das Bauteil {0} und sagt, was man vor dem Kauf wissen muss. "
    "Vor dem ersten Gebrauch ist die Anleitung zu lesen, im Winter bleibt das Teil trocken.\n"
)


def sheet(number: int, *, price: int = 1, height: str = "cm", attribute: str = "cm") -> str:
    """A product's sheet; heights are written in metres where that is asked for, the width stays in cm."""
    topic, tall = TOPICS[number], 60 + 10 * number
    values = {"cm": f"{tall} cm", "m": f"{tall / 100:.2f} m"}
    return (
        f"---\nheight: {values[attribute]}\n---\n# The {topic}\n\nThis sheet tells what to know of a {topic}. "
        f"A new {topic} costs {(10 + number) * price:.2f} EUR at the {topic} shop in town. "
        f"Its height is {values[height]} and its width is {20 + number} cm with the box. {SECOND.format(topic)}\n"
    )


def write(folder: Path, make: Callable[[int], str]) -> None:
    for number, topic in enumerate(TOPICS):
        (folder / f"{topic}.md").write_text(make(number), encoding="utf-8")


def in_cents(folder: Path) -> None:
    write(folder, lambda number: sheet(number, price=100))


def heights_in_text(folder: Path) -> None:
    write(folder, lambda number: sheet(number, height="m"))


def heights_in_attributes(folder: Path) -> None:
    write(folder, lambda number: sheet(number, attribute="m"))


def half_gone(folder: Path) -> None:
    for topic in TOPICS[::2]:
        (folder / f"{topic}.md").unlink()


def german(folder: Path) -> None:
    for topic in TOPICS[:4]:
        (folder / f"neu-{topic}.md").write_text(DEUTSCH.format(topic), encoding="utf-8")


def near_copies(folder: Path) -> None:
    """6 of 20 documents, 30 %."""
    for topic in TOPICS[:6]:
        text = (folder / f"{topic}.md").read_text(encoding="utf-8")
        (folder / f"{topic}-copy.md").write_text(f"{text.rstrip()} Again.\n", encoding="utf-8")


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Assay:
    def with_hashing(settings: Settings) -> Services:
        return build(settings, embedder=HashingEmbedder())

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["assay", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(bootstrap, "build", with_hashing)
    return run


@pytest.fixture
def catalogue(assay: Assay, tmp_path: Path) -> Path:
    """A folder of 14 sheets that is ingested, under a contract."""
    folder, contract = tmp_path / "catalogue", tmp_path / "contract.yaml"
    folder.mkdir()
    write(folder, sheet)
    contract.write_text(CONTRACT, encoding="utf-8")
    assert assay("corpus", "contract", str(contract))[0] == 0
    assert assay("ingest", str(folder))[0] == 0
    return folder


@pytest.mark.parametrize(
    ("accident", "rule", "says"),
    [
        (in_cents, "numbers", r"numbers of EUR: median 16.5 before, 1650 now \(100 times\): has their unit changed"),
        (heights_in_text, "units", "14 documents named cm, 14 still do; m is now in 14, was in 0: has the unit change"),
        (heights_in_attributes, "numbers", r"numbers of 'height': median 125 before, 1.25 now \(1/100\): has their un"),
        (half_gone, "documents_gone", "7 of 14 documents are gone: is the dump cut off"),
        (german, "new_language", "4 of 18 documents are in 'de', a language new to the corpus"),
        (near_copies, "duplicates", "30% nearly repeat another document, more than 20%"),
    ],
)
def test_an_accident_ends_with_1_and_what_served_serves(
    assay: Assay, catalogue: Path, accident: Accident, rule: str, says: str
) -> None:
    before = json.loads(assay("search", "anchor costs", "--json")[1])
    accident(catalogue)
    code, out, _ = assay("ingest", str(catalogue), "--prune")
    assert code == 1
    assert "the contract stopped it" in " ".join(out.split())
    code, out, _ = assay("ingest", str(catalogue), "--prune", "--json")
    report = json.loads(out)
    (broken,) = report["breaches"]
    assert (code, broken["rule"], broken["severity"]) == (1, rule, "error")
    assert re.match(says, broken["message"])
    assert report["switched"] is False and report["snapshot"] == before["snapshot"]
    assert json.loads(assay("search", "anchor costs", "--json")[1])["passages"] == before["passages"]


@pytest.fixture
def webhook() -> Iterator[tuple[str, Posts, list[int]]]:
    """Its address, what was posted to it, and (to be changed) the status that it answers with."""
    posts: Posts = []
    status = [204]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/alert?token=s3cret", posts, status
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("accident", [in_cents, heights_in_attributes, half_gone, german, near_copies])
def test_the_webhook_is_told_once_and_gets_no_text(
    assay: Assay,
    catalogue: Path,
    accident: Accident,
    webhook: tuple[str, Posts, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {path.read_text(encoding="utf-8") for path in catalogue.iterdir()}
    monkeypatch.setenv("ASSAY_ALERTS__WEBHOOK_URL", webhook[0])
    assert assay("ingest", str(catalogue))[0] == 0
    assert webhook[1] == []  # nothing is broken, nobody is told
    accident(catalogue)
    texts |= {path.read_text(encoding="utf-8") for path in catalogue.iterdir()}
    assert assay("ingest", str(catalogue), "--prune")[0] == 1
    ((path, data),) = webhook[1]
    body = json.loads(data)
    (broken,) = body["breaches"]
    assert path == "/alert?token=s3cret"
    assert (body["event"], body["corpus"], body["switched"]) == ("contract", "default", False)
    assert broken["rule"] and broken["count"] >= 4
    assert broken["examples"] and all(uri.endswith(".md") for uri in broken["examples"])
    said = data.decode()
    sentences = {part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s|\n", text) if part.strip(" -\n")}
    assert len(sentences) > len(TOPICS)
    assert not [sentence for sentence in sentences if sentence in said]


@pytest.mark.parametrize("wrong", ["answers 500", "nobody there", "no such scheme", "no host", "bad port"])
def test_a_webhook_that_fails_stops_nothing(
    assay: Assay,
    catalogue: Path,
    wrong: str,
    webhook: tuple[str, Posts, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    webhook[2][0] = 500
    urls = {
        "answers 500": webhook[0],
        "nobody there": "http://127.0.0.1:1/alert?token=s3cret",
        "no such scheme": "gopher://127.0.0.1/s3cret",
        "no host": "http://a..b/s3cret",
        "bad port": "http://127.0.0.1:99999/s3cret",
    }
    monkeypatch.setenv("ASSAY_ALERTS__WEBHOOK_URL", urls[wrong])
    in_cents(catalogue)
    code, out, err = assay("ingest", str(catalogue), "--json")
    assert (code, [breach["rule"] for breach in json.loads(out)["breaches"]]) == (1, ["numbers"])
    assert "s3cret" not in out + err and "Traceback" not in err
    (tmp_path / "warns.yaml").write_text("warn: [numbers]", encoding="utf-8")
    assert assay("corpus", "contract", str(tmp_path / "warns.yaml"))[0] == 0
    assert assay("ingest", str(catalogue))[0] == 0
    passages = json.loads(assay("search", "anchor costs", "--json", "--k", "1")[1])["passages"]
    assert "1500.00 EUR" in passages[0]["text"]
