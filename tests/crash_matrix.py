"""Run as a process: forks children that change a corpus, kills each at a random moment, and verifies what is left.

An erasure that was begun is then finished, and nothing of what it was to erase may stand in any byte of the home.

    python -m tests.crash_matrix HOME FOLDER KILLS SEED

Prints a line of JSON: kills by operation, erasures that were killed after they had begun, faults. Exit code 1 where a
fault was found.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, Self

from app.bootstrap import Services, build
from app.settings import load_settings
from retrieval.config import ParseLimits
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.erasure import Named
from retrieval.errors import NoRollback, ParseFailure
from retrieval.files import folders, list_files
from retrieval.parsing import parse_bytes
from retrieval.types import ParsedFile
from retrieval.workers import read_file
from tests.remains import remains

LIMITS = ParseLimits()


class InProcess:
    """Parses in this process: a child that is killed leaves no workers behind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        for uri, path in files:
            data, modified = read_file(path, LIMITS)  # not `parse_file`: it bounds the memory of its process for good
            try:
                yield uri, ParsedFile(hashlib.sha256(data).hexdigest(), modified, parse_bytes(data, LIMITS))
            except ParseFailure as error:  # a child that was killed left a file half-written
                yield uri, error


def joined(home: Path) -> Services:
    settings = load_settings(home=home)
    rules = settings.retrieval.model_copy(update={"embed_group": 2, "keep_indexes": 3})
    services = build(settings.model_copy(update={"retrieval": rules}), embedder=HashingEmbedder())
    return replace(services, ingestor=replace(services.ingestor, open_parser=InProcess))


def write_edition(folder: Path, chance: random.Random) -> None:
    """Some of twenty documents, each in one of three editions: snapshots come and come again."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(20):
        path = folder / f"{number}.md"
        if chance.random() < 0.2:
            path.unlink(missing_ok=True)
        elif chance.random() < 0.5:
            path.write_text(f"# Sheet {number}\n\nEdition {chance.randrange(3)} of sheet {number}.\n", encoding="utf-8")


def ingest(services: Services, folder: Path, chance: random.Random) -> None:
    write_edition(folder, chance)
    services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))


def switch(services: Services, folder: Path, chance: random.Random) -> None:
    services.snapshots.activate("default", chance.choice(services.corpora.newest("default", 50)))


def rollback(services: Services, folder: Path, chance: random.Random) -> None:
    try:
        services.snapshots.rollback("default")
    except NoRollback:
        ingest(services, folder, chance)


def reindex(services: Services, folder: Path, chance: random.Random) -> None:
    services.snapshots.reindex("default", services.corpora.active("default"))


def erase(services: Services, folder: Path, chance: random.Random) -> None:
    """Erase by the words that the last call planted, then plant others."""
    planted, erased = folder.with_name("planted"), folder.with_name("erased")
    if planted.exists():
        words = planted.read_text("utf-8")
        services.forget.run(Named(subject=words), lambda step, done, total: None)
        with erased.open("a", encoding="utf-8") as file:
            file.write(f"{words}\n")
    words = f"Quasimodo {chance.getrandbits(64):016x}"
    (folder / "planted.md").write_text(f"# A person\n\nOf {words} this sheet says that he rings bells.\n", "utf-8")
    planted.write_text(words, encoding="utf-8")
    services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))


OPERATIONS: dict[str, Callable[[Services, Path, random.Random], None]] = {
    "ingest": ingest,
    "switch": switch,
    "rollback": rollback,
    "reindex": reindex,
    "erase": erase,
}
LONGEST_S = {"erase": 1.2}


def child(work: Callable[[], int]) -> int:
    """Run `work` in a forked process; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 2
    try:
        code = work()
    except BaseException as error:  # noqa: BLE001 -- a fork must not go on as a second parent
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def for_ever(home: Path, folder: Path, operation: str, seed: int) -> int:
    services, chance = joined(home), random.Random(seed)
    while True:
        OPERATIONS[operation](services, folder, chance)


def verified(home: Path) -> int:
    """Whether what serves is whole and answers, and every other snapshot that has an index is whole too."""
    services = joined(home)
    names = [row.snapshot.id for row in services.snapshots.list("default") if row.indexed or row.serves]
    faults = [fault for name in names for fault in services.snapshots.verify("default", name)]
    serving, index = services.reader.current("default")
    members = services.corpora.members("default", serving)
    faults += [] if len({place[0] for place in index.places(range(len(members)))}) <= len(members) else ["a mix"]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


def resumed(home: Path, folder: Path) -> int:
    """Whether every erasure that was begun can be finished, and leaves no byte of what it erased."""
    services = joined(home)
    intents = services.forget.intents
    words = [intents.read(name).named.subject for name in intents.begun()]
    outcomes = services.forget.resume(lambda step, done, total: None, all_of_them=True)
    erased = folder.with_name("erased")
    words += erased.read_text("utf-8").split("\n")[:-1] if erased.exists() else []
    faults = [f"{path} holds what was erased" for word in words for path in remains(home, word)]
    faults += [str(outcome.receipt["scan"]) for outcome in outcomes if not outcome.clean]
    faults += [f"{name} is not finished" for name in intents.begun()]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


def main(home: Path, folder: Path, kills: int, seed: int) -> NoReturn:
    chance = random.Random(seed)
    first = joined(home)
    ingest(first, folder, chance)
    first.close()
    counted: Counter[str] = Counter()
    faults = interrupted = 0
    for number in range(kills):
        operation = chance.choice([*OPERATIONS, "ingest"])
        pid = child(lambda operation=operation, number=number: for_ever(home, folder, operation, seed + number))
        time.sleep(chance.uniform(0.01, LONGEST_S.get(operation, 0.4)))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        counted[operation if os.WIFSIGNALED(status) else f"{operation} ended by itself"] += 1
        checks = [lambda: verified(home)]
        if operation == "erase":
            interrupted += any((home / "erasures").glob("*.intent"))
            checks += [lambda: resumed(home, folder), lambda: verified(home)]
        for check in checks:
            _, status = os.waitpid(child(check), 0)
            faults += os.waitstatus_to_exitcode(status) != 0
    sys.stdout.write(json.dumps({"kills": counted, "interrupted": interrupted, "faults": faults}) + "\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
