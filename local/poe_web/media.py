"""Small real files for the bots that answer with media: made here, so that nothing is fetched or shipped."""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from array import array

from local.poe_web.answers import Attachment, Prompt, Snapshot, growing


def png(width: int = 64, height: int = 64) -> bytes:
    """A colour gradient as a PNG file."""
    rows = b"".join(
        b"\0" + bytes(c for x in range(width) for c in (255 * x // width, 255 * y // height, 128))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav(seconds: float = 0.25) -> bytes:
    """A tone of 440 Hz as a WAV file, 8 kHz, 16 bit, one channel."""
    rate = 8000
    samples = array("h", (int(8000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(seconds * rate))))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return buffer.getvalue()


def _stored(prompt: Prompt, name: str, mime_type: str, data: bytes) -> Attachment:
    if prompt.store is None:
        raise ValueError("media bots need a place for their files")
    return prompt.store(name, mime_type, data)


def painter(prompt: Prompt) -> list[Snapshot]:
    """An image as an attachment of the final event; the text has nothing but a line about it."""
    image = _stored(prompt, "image.png", "image/png", png())
    return growing("Here is your image.", (image,))


def sketcher(prompt: Prompt) -> list[Snapshot]:
    """An image as an address in the text, and no attachment."""
    image = _stored(prompt, "sketch.png", "image/png", png(32, 32))
    return growing(f"Sketch: {image.url}")


def speaker(prompt: Prompt) -> list[Snapshot]:
    """Speech, or rather a tone, as an attachment and no text."""
    return growing("", (_stored(prompt, "speech.wav", "audio/wav", wav()),))
