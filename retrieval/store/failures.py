"""What a full or failing disk looks like, as one error that says what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from retrieval.errors import StorageFailed

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free space under ASSAY_HOME and run it again.",
    errno.EDQUOT: "The disk quota is used up. Free space under ASSAY_HOME and run it again.",
    errno.EROFS: "The file system is read-only. Mount it for writing, or set ASSAY_HOME elsewhere.",
    errno.EACCES: "Writing is not permitted. Give this account the right to write under ASSAY_HOME.",
    errno.EIO: "The disk fails (input/output error). Check it before you run it again.",
}


@contextmanager
def storage_failures() -> Iterator[None]:
    """Turn failures to write into `StorageFailed`. What served before serves on: nothing is switched by halves.

    Raises:
        StorageFailed: The disk or the database refused a write.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        raise StorageFailed(f"{_ADVICE[error.errno]} What served before serves on.") from error
    except DBAPIError as error:
        said = str(error.orig)
        known = errno.ENOSPC if "full" in said else errno.EIO if "I/O" in said else None
        advice = _ADVICE[known] if known else f"The database refused: {said}."
        raise StorageFailed(f"{advice} What served before serves on.") from error
