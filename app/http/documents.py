"""POST /v1/documents takes a file in; GET /v1/documents/{id} gives its canonical text."""

import asyncio
import shutil
import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path, PurePosixPath
from re import fullmatch
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from app.alerts import contract_alert
from app.http.failures import DocumentRefused, InvalidRequest
from app.http.shared import Shared, SharedState, access_of
from app.openlineage import observed
from app.rendering import Json, document_json, report_json
from app.settings import CORPUS_PATTERN
from retrieval.errors import ContractBroken
from retrieval.files import SourceFile
from retrieval.ids import document_id
from retrieval.types import IngestReport, Labels, Severity

SOURCE = "upload"
"""The source of all uploads: no folder, so the same name again replaces what was uploaded before."""

MAX_NAME_CHARS = 200

router = APIRouter()

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}, "corpus": {"type": "string"}},
                }
            }
        },
    }
}


@router.post("/v1/documents", openapi_extra=_FORM, response_class=JSONResponse)
async def upload(request: Request, shared: SharedState) -> Response:
    """Take a document into a corpus; the same file name again replaces it."""
    # The form is read here and not by a parameter: a slot must be held before the first byte is.
    with shared.uploads.slot():
        async with request.form(max_files=1, max_fields=1) as form:
            file, corpus = _file(form), _corpus(form, shared.services.settings.corpus)
            tenant = access_of(request).tenant
            uri = owned(safe_name(file.filename or ""), tenant)
            report = await _ingest(shared, file, SourceFile(uri, Path(), SOURCE, Labels(tenant)), corpus)
    contract_alert(shared.services.settings.alerts, corpus, report)
    if not report.switched:
        broken = "; ".join(f"{b.rule}: {b.message}" for b in report.breaches if b.severity is Severity.ERROR)
        raise ContractBroken(f"With this document the corpus '{corpus}' would break its contract: {broken}.")
    if report.quarantined:
        raise DocumentRefused(report.quarantined[0])
    doc_id = document_id(corpus, uri)
    body = {"doc_id": doc_id, "uri": uri, "corpus": corpus, **report_json(report)}
    return JSONResponse(
        body, 200 if report.unchanged else 201, {"Location": f"/v1/documents/{doc_id}?snapshot={report.snapshot}"}
    )


@router.get("/v1/documents/{doc_id}")
def read(doc_id: str, request: Request, shared: SharedState, snapshot: str | None = None) -> Json:
    """A document as a snapshot holds it, by default the snapshot that serves."""
    found, version = shared.services.corpora.version_in(doc_id, snapshot, access_of(request))
    return document_json(shared.services.reader.document(doc_id, version), found)


def safe_name(name: str) -> str:
    """The uri of an uploaded file: the last part of its name, without what no path or terminal should see."""
    base = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    visible = "".join(
        char for char in base if unicodedata.category(char) not in {"Zl", "Zp"} and unicodedata.category(char)[0] != "C"
    )
    path = PurePosixPath(visible.strip(" .") or "upload")
    return path.stem[: MAX_NAME_CHARS - len(path.suffix[:16])] + path.suffix[:16]


def owned(name: str, tenant: str) -> str:
    """The uri of a tenant's upload: under its own name, so that no tenant can replace another's file."""
    return f"@{tenant}/{name}" if tenant else name.lstrip("@") or "upload"


async def _ingest(shared: Shared, file: UploadFile, named: SourceFile, corpus: str) -> IngestReport:
    """Ingest in a thread, one upload at a time: turns go on, and no upload meets another's lock."""
    with tempfile.TemporaryDirectory(prefix="assay-upload-") as folder:
        path = Path(folder) / "upload"
        await asyncio.to_thread(_copy, file, path)
        ingestor, settings = shared.services.ingestor, shared.services.settings.lineage

        def work() -> IngestReport:
            return ingestor.ingest([replace(named, path=path)], corpus)

        async with shared.ingesting:
            return await asyncio.to_thread(
                observed, settings, corpus, lambda: (member.source for member in ingestor.members(corpus)), work
            )


def _copy(file: UploadFile, path: Path) -> None:
    """Give the received file a name of its own, for parsers open it in another process."""
    with path.open("wb") as copy:
        shutil.copyfileobj(file.file, copy)


def _file(form: FormData) -> UploadFile:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidRequest("Send the document as the field 'file' of a multipart/form-data body.")
    return file


def _corpus(form: FormData, default: str) -> str:
    corpus = form.get("corpus", default)
    if not isinstance(corpus, str) or not fullmatch(CORPUS_PATTERN, corpus):
        raise InvalidRequest(f"A corpus name matches {CORPUS_PATTERN}.")
    return corpus
