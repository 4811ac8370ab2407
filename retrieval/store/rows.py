"""What the stores of this room hand out."""

import os
import pwd
from dataclasses import dataclass
from datetime import datetime

from retrieval.types import UNLABELLED, Labels


@dataclass(frozen=True, slots=True)
class Member:
    """A document's place in a snapshot: which version, the folder or file it was ingested from, and its labels."""

    doc_id: str
    version: str
    uri: str
    sha256: str
    parser: str
    source: str
    labels: Labels = UNLABELLED


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A stored chunk: its span and the hash of what embedders see."""

    doc_id: str
    version: str
    start: int
    end: int
    context: str
    text_sha256: str


@dataclass(frozen=True, slots=True)
class Activation:
    """Who made a snapshot serve, under which contract, and when."""

    who: str
    contract: str = ""
    snapshot: str = ""
    at: datetime | None = None


def user() -> str:
    """The name of the account that this process runs under."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's account may have no name
        return str(os.getuid())
