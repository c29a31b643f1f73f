"""Media that simulated bots make: small, valid files."""

from __future__ import annotations

import io
import struct
import wave
import zlib

from local.poe_official.bots import Answer, MadeFile, Question


def png_bytes() -> bytes:
    """A PNG of one colour, 4 by 4."""
    size = 4

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x40\x80\xc0" * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav_bytes() -> bytes:
    """A tenth of a second of silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x00" * 800)
    return buffer.getvalue()


def mp4_bytes() -> bytes:
    """The opening box of an MP4 and an empty media box: enough to be recognized."""
    brand = b"isom\x00\x00\x02\x00isomiso2mp41"
    return struct.pack(">I", 8 + len(brand)) + b"ftyp" + brand + struct.pack(">I", 8) + b"mdat"


_ALT_CHARS = 200


def painter(question: Question) -> Answer:
    """An image, in the text as Poe's image bots put it: markdown with the prompt, an empty line, the address again."""
    url = question.store("image.png", "image/png", png_bytes())
    name = f"{question.prompt[:_ALT_CHARS]}.png"
    return Answer(f"![{name}]({url})\n\n{url}", files=(MadeFile(url, "image/png", name),))


def speaker(question: Question) -> Answer:
    """A sound, as a bare address."""
    url = question.store("speech.wav", "audio/wav", wav_bytes())
    return Answer(url, files=(MadeFile(url, "audio/wav", "speech.wav"),))


def filmmaker(question: Question) -> Answer:
    """A video, as a bare address."""
    url = question.store("film.mp4", "video/mp4", mp4_bytes())
    return Answer(url, files=(MadeFile(url, "video/mp4", "film.mp4"),))
