"""The names under which OpenSSL looks for certificates, tried by OpenSSL itself."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from scripts.hashed_certificates import subject_hash, write_hashed

# As `openssl x509 -subject_hash` says for well-known roots.
KNOWN = {
    "ISRG Root X1": "4042bcee",
    "Amazon Root CA 1": "ce5e74ef",
    "DigiCert Global Root G2": "607986c7",
    "NetLock Arany (Class Gold) Főtanúsítvány": "988a38cb",
}


def attribute(text: str, kind: _ASN1Type = _ASN1Type.UTF8String) -> x509.NameAttribute[str]:
    return x509.NameAttribute(NameOID.ORGANIZATION_NAME, text, _type=kind)


NAMES = {
    "plain": x509.Name([attribute("A Plain Authority")]),
    "spaces": x509.Name([attribute("  Many \t  Spaces  ")]),
    "other letters": x509.Name([attribute("ÄÖÜ İstanbul Ω ẞ")]),
    "printable": x509.Name([attribute("PrintAble 1", _ASN1Type.PrintableString)]),
    "two bytes": x509.Name([attribute("ZWEI Ö", _ASN1Type.BMPString)]),
    "several": x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"), attribute("B"), attribute("A")]),
    "together": x509.Name([x509.RelativeDistinguishedName([attribute("B"), attribute("AA"), attribute("C")])]),
    "long": x509.Name([attribute("x" * 200)]),
}


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Raises `SSLError` unless the client trusts the server."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(one, other, server_hostname="example.com"),
        server.wrap_bio(other, one, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("name", [pytest.param(name, id=key) for key, name in NAMES.items()])
def test_openssl_finds_a_certificate_by_its_name(tmp_path: Path, name: x509.Name) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(chain, private)
    assert write_hashed(chain, tmp_path / "hashed") == 1
    handshake(ssl.create_default_context(capath=str(tmp_path / "hashed")), server)
    (tmp_path / "hashed" / f"{subject_hash(certificate.public_bytes(serialization.Encoding.DER))}.0").unlink()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(ssl.create_default_context(capath=str(tmp_path / "hashed")), server)


def test_every_certificate_of_a_bundle_has_a_file_and_equal_names_are_numbered(tmp_path: Path) -> None:
    bundle = Path(certifi.where()).read_text(encoding="utf-8")
    twice = tmp_path / "twice.pem"
    twice.write_text(bundle + bundle, encoding="utf-8")
    count = bundle.count("BEGIN CERTIFICATE")
    assert write_hashed(twice, tmp_path / "hashed") == 2 * count
    files = {path.name: path.read_text(encoding="ascii") for path in (tmp_path / "hashed").iterdir()}
    assert len(files) == 2 * count
    assert all(re.fullmatch(r"[0-9a-f]{8}\.[0-9]", name) for name in files)
    assert sum(name.endswith(".0") for name in files) <= count
    for known in KNOWN.values():
        assert files[f"{known}.0"] == files[f"{known}.1"]


def test_a_certificate_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="cut off"):
        subject_hash(b"\x30\x82\x01\x00\x30\x03")
