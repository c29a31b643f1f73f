"""Spread a bundle of certificates over files whose names OpenSSL computes, as `openssl rehash` does.

Loading a bundle parses all of its certificates, 36 to 55 ms of a cold start; of a folder OpenSSL reads the one that it
needs, when it needs it. The name is a hash of the subject in OpenSSL's canonical form (`X509_NAME_hash`, OpenSSL 1.0.0
and later): the SHA-1 of its relative names with their text in UTF-8, in lower case, without superfluous spaces.
"""

import hashlib
import re
import ssl
from collections import Counter
from pathlib import Path

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_SEQUENCE, _SET, _UTF8, _VERSION = 0x30, 0x31, 0x0C, 0xA0
# ASN.1 types whose values are text, with Python's names for their encodings.
_TEXTS = {
    0x0C: "utf-8",
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # T61String, as OpenSSL reads it
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_SPACES = re.compile("[ \t\n\v\f\r]+")


def write_hashed(bundle: Path, folder: Path) -> int:
    """Write each certificate of a PEM bundle into `folder`; returns how many. Raises `ValueError` for a broken one."""
    folder.mkdir(parents=True, exist_ok=True)
    used: Counter[str] = Counter()
    for found in _CERTIFICATE.finditer(bundle.read_text(encoding="utf-8")):
        name = subject_hash(ssl.PEM_cert_to_DER_cert(found[0].strip()))
        (folder / f"{name}.{used[name]}").write_text(found[0], encoding="ascii")
        used[name] += 1
    return used.total()


def subject_hash(certificate: bytes) -> str:
    """The eight digits by which OpenSSL finds a DER certificate."""
    ((_, signed, _),) = _elements(certificate)
    (_, body, _), *_ = _elements(signed)
    fields = [element for element in _elements(body) if element[0] != _VERSION]
    # Serial number, signature algorithm, issuer, validity, subject.
    subject = fields[4][1]
    canonical = b"".join(_canonical_rdn(relative) for _, relative, _ in _elements(subject))
    return f"{int.from_bytes(hashlib.sha1(canonical).digest()[:4], 'little'):08x}"


def _canonical_rdn(relative: bytes) -> bytes:
    attributes = []
    for _, attribute, _ in _elements(relative):
        (_, _, kind), (tag, value, whole) = _elements(attribute)
        if tag in _TEXTS:
            text = _SPACES.sub(" ", value.decode(_TEXTS[tag])).strip(" ")
            # OpenSSL makes ASCII letters small and leaves all others alone.
            lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
            whole = _encode(_UTF8, lowered.encode())
        attributes.append(_encode(_SEQUENCE, kind + whole))
    return _encode(_SET, b"".join(sorted(attributes)))


def _elements(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Tag, content and the whole of each DER element."""
    found, position = [], 0
    while position < len(data):
        start, tag, length, position = position, data[position], data[position + 1], position + 2
        if length & 0x80:
            size = length & 0x7F
            length, position = int.from_bytes(data[position : position + size], "big"), position + size
        end = position + length
        if end > len(data):
            raise ValueError("the certificate is cut off")
        found.append((tag, data[position:end], data[start:end]))
        position = end
    return found


def _encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content
