"""E-mail: who wrote what to whom, and the body that says most."""

from email.message import EmailMessage
from typing import cast

from retrieval.canonical import CanonicalText, one_line
from retrieval.decoding import decode
from retrieval.parsers.blocks import walk_html
from retrieval.types import ParsedText

MEDIA_TYPE = "message/rfc822"

_HEADERS = ("From", "To", "Cc", "Date")


def parse(data: bytes) -> ParsedText:
    """Parse a message. Attachments are named, not read."""
    from email import policy
    from email.parser import BytesParser

    message = BytesParser(policy=policy.default).parsebytes(data)
    out = CanonicalText()
    subject = str(message.get("Subject", ""))
    out.heading(1, subject)
    fields = [(name, one_line(str(message[name]))) for name in _HEADERS if message[name]]
    out.block("\n".join(f"{name}: {value}" for name, value in fields))
    bodies, attachments = _parts(message)
    plain, html = bodies.get("text/plain", ""), bodies.get("text/html", "")
    rendered = CanonicalText()
    walk_html(html, rendered)
    # Some plain parts only say that the message needs an HTML reader.
    if len(plain.strip()) * 3 >= rendered.length:
        out.block(plain)
    else:
        walk_html(html, out)
    out.block("\n".join(f"Attachment: {name}" for name in attachments))
    return out.build(MEDIA_TYPE, subject)


def _parts(message: EmailMessage) -> tuple[dict[str, str], list[str]]:
    """Return the first body of each text type, and the names of what is attached."""
    bodies: dict[str, str] = {}
    attachments: list[str] = []
    pending = [message]
    while pending:
        part = pending.pop(0)
        kind = part.get_content_type()
        if part.is_attachment() or part.get_filename() or kind == "message/rfc822":
            attachments.append(one_line(part.get_filename() or kind))
        elif part.is_multipart():
            pending[:0] = cast(list[EmailMessage], part.get_payload())
        elif kind in ("text/plain", "text/html") and kind not in bodies:
            payload = part.get_payload(decode=True)
            text = decode(payload, part.get_content_charset("")) if isinstance(payload, bytes) else None
            bodies[kind] = text or ""
    return bodies, attachments
