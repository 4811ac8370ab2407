"""Objects of an S3-compatible store. The only door to minio, the client.

`s3://BUCKET/PREFIX`; keys come from the usual places of AWS and MinIO (variables, ~/.aws), never from the name.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from retrieval.errors import LibraryMissing, SourceFailed
from retrieval.sources.port import Budget, Listing, Progress, SourceFile

_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class S3Source:
    """The objects under a prefix, which is a folder or one object."""

    bucket: str
    prefix: str
    endpoint: str

    @classmethod
    def parse(cls, named: str, endpoint: str) -> "S3Source":
        """Read `s3://BUCKET/PREFIX`.

        Raises:
            SourceFailed: It is not such a name, or holds a key.
        """
        parts = urlsplit(named)
        if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise SourceFailed("An S3 source is s3://BUCKET/PREFIX. Keys belong into AWS_ACCESS_KEY_ID and so on.")
        return cls(parts.netloc, parts.path.strip("/"), endpoint)

    @property
    def label(self) -> str:
        """The source's name."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def fetch(self, staging: Path, budget: Budget, progress: Progress) -> Listing:
        """List the objects and copy them here.

        Raises:
            LibraryMissing: The client is not installed.
            SourceFailed: The bucket cannot be listed.
        """
        client = self._client(budget)
        from minio.error import MinioException
        from urllib3.exceptions import HTTPError

        try:
            objects, stopped = self._list(client, budget)
        except (MinioException, HTTPError, ValueError) as error:
            raise SourceFailed(f"{self.label} at {_host(self.endpoint)} cannot be listed: {_why(error)}.") from None
        files = []
        progress("fetch", 0, len(objects))
        for number, found in enumerate(objects, start=1):
            if stop := budget.exhausted(int(found.size)):
                stopped = stop
                break
            path = staging / str(number)
            uri = f"s3://{self.bucket}/{found.object_name}"
            try:
                failure = self._copy(client, found, path, budget)
            except (MinioException, HTTPError) as error:
                failure = f"the object cannot be read: {_why(error)}"
            files.append(SourceFile(uri, path, self.label, failure=failure))
            progress("fetch", number, len(objects))
        whole = frozenset() if stopped else frozenset({self.label})
        return Listing(tuple(files), whole, (f"{self.label}: {stopped}",) if stopped else ())

    def _list(self, client: Any, budget: Budget) -> tuple[list[Any], str]:
        """The objects by key, and which bound ended the list early, if one did."""
        objects: list[Any] = []
        for found in client.list_objects(self.bucket, prefix=self.prefix or None, recursive=True):
            name = found.object_name
            inside = not self.prefix or name == self.prefix or name.startswith(f"{self.prefix}/")
            if not inside or name.endswith("/") or any(part.startswith(".") for part in name.split("/")):
                continue
            if len(objects) >= budget.limits.max_files or not budget.seconds_left:
                return objects, budget.exhausted() or f"stopped at max_files, {budget.limits.max_files:,} documents"
            objects.append(found)
        return objects, ""

    def _copy(self, client: Any, found: Any, path: Path, budget: Budget) -> str:
        """Copy one object; why it could not be, or ""."""
        if found.size > budget.max_file_bytes:
            return f"more than {budget.max_file_bytes:,} bytes"
        response = client.get_object(self.bucket, found.object_name)
        size = 0
        try:
            with path.open("wb") as file:
                for piece in response.stream(_STEP):
                    size += len(piece)
                    if size > min(budget.max_file_bytes, budget.bytes_left):
                        return "it grew over a bound while it was read"
                    if not budget.seconds_left:
                        return "the time of the source is over"
                    file.write(piece)
        finally:
            response.close()
            response.release_conn()
        budget.spend(size)
        seconds = found.last_modified.timestamp()
        os.utime(path, (seconds, seconds))
        return ""

    def _client(self, budget: Budget) -> Any:
        try:
            from minio import Minio, credentials
        except ImportError:
            raise LibraryMissing("An S3 source needs another library. Run: pip install 'assay[s3]'") from None
        import urllib3

        timeout = urllib3.Timeout(budget.limits.request_timeout_s)
        retries = urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
        keys = credentials.ChainedProvider(
            [credentials.EnvAWSProvider(), credentials.EnvMinioProvider(), credentials.AWSConfigProvider()]
        )
        try:
            keys.retrieve()
        except ValueError:  # none: what is public needs none
            keys = None
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise SourceFailed("retrieval.sources.s3_endpoint is https://HOST, without user and password.")
        http = urllib3.PoolManager(timeout=timeout, retries=retries)
        return Minio(parts.netloc, credentials=keys, secure=parts.scheme == "https", http_client=http)


def _host(endpoint: str) -> str:
    return urlsplit(endpoint).hostname or endpoint


def _why(error: Exception) -> str:
    """The service's own code ("NoSuchBucket") or the kind of failure; whole messages hold signed URLs."""
    return str(getattr(error, "code", None) or type(error).__name__)
