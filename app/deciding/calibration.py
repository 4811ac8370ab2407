"""Calibrations: a small file for each corpus under the home, which sets its threshold."""

import hashlib
import json
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from app.deciding.drift import Watch
from app.deciding.risk import Threshold
from app.errors import ConfigError
from app.files import write_file
from app.settings import CORPUS_PATTERN

FORMAT = 1
MAX_BYTES = 2_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a threshold was fitted on, and what came of it.

    `loss` names what counted as wrong; `made_by` what gave the probabilities; `probabilities` are those of the cases,
    which recent turns are compared with.
    """

    corpus: str
    snapshot: str
    cases_sha256: str
    made_by: str
    loss: str
    target: float
    threshold: Threshold
    probabilities: tuple[float, ...]
    created: str
    format: int = FORMAT

    @property
    def id(self) -> str:
        """The first digits of the hash of all the rest."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


class Calibrations:
    """The calibrations of a home, read again when their file changes. One that does not fit what serves is passed over.

    Args:
        folder: Where they lie, one `CORPUS.json` each.
        made_by: What gives the probabilities now.
        target: The risk that is asked for now.
    """

    def __init__(self, folder: Path, made_by: str, target: float) -> None:
        self.made_by = made_by
        self.target = target
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[str, tuple[int, Calibration | None]] = {}
        self._watches: dict[str, Watch] = {}

    def threshold(self, corpus: str) -> float | None:
        """The threshold of a corpus; None where it has no calibration that fits."""
        found = self.of(corpus)
        return None if found is None else found.threshold.value

    def of(self, corpus: str) -> Calibration | None:
        """The calibration of a corpus that fits what serves.

        Raises:
            ConfigError: Its file is damaged.
        """
        path = self._path(corpus)
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            known = self._read.get(corpus)
            if known is None or known[0] != changed:
                known = changed, self._fitting(read_calibration(path))
                self._read[corpus] = known
                if known[1]:
                    self._watches[corpus] = Watch(known[1].probabilities)
            return known[1]

    def write(self, found: Calibration) -> Path:
        """Keep a calibration; it takes the place of the one before."""
        path = self._path(found.corpus)
        write_file(path, (json.dumps(asdict(found), indent=1) + "\n").encode())
        return path

    def saw(self, corpus: str, probability: float) -> None:
        """Take note of a turn; warn when turns have come to look unlike the cases."""
        watch = self._watches.get(corpus) if self.of(corpus) else None
        if watch and (index := watch.saw(probability)):
            _log.warning(
                "corpus %s: recent questions are unlike those that its calibration was fitted on (stability index "
                "%.2f): its risk target may not hold. Add such questions to the golden set and run: evals calibrate",
                corpus,
                index,
            )

    def versions(self) -> Mapping[str, str]:
        """The id of every calibration that fits, by corpus."""
        names = sorted(path.stem for path in self._folder.glob("*.json")) if self._folder.is_dir() else []
        found = {name: self.of(name) for name in names if re.fullmatch(CORPUS_PATTERN, name)}
        return {name: calibration.id for name, calibration in found.items() if calibration}

    def _path(self, corpus: str) -> Path:
        return self._folder / f"{corpus}.json"

    def _fitting(self, found: Calibration) -> Calibration | None:
        if found.made_by != self.made_by or found.target != self.target:
            then, now = (found.made_by, self.made_by) if found.made_by != self.made_by else (found.target, self.target)
            _log.warning(
                "corpus %s: its calibration is for %s, what serves is %s: the shipped threshold applies. "
                "Run: evals calibrate",
                found.corpus,
                then,
                now,
            )
            return None
        return found


def read_calibration(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        ConfigError: It is damaged, or of another version of Assay.
    """
    try:
        raw = json.loads(path.read_bytes()[:MAX_BYTES])
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']}")
        raw["threshold"] = Threshold(**raw["threshold"])
        raw["probabilities"] = tuple(float(value) for value in raw["probabilities"])
        return Calibration(**raw)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"The calibration {path} cannot be read ({error}). Run evals calibrate again, or delete the file."
        ) from None
