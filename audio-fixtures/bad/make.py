#!/usr/bin/env python3
"""Makes the damaged files of this folder, some from those in ../formats."""

import math
import struct
from pathlib import Path

here = Path(__file__).parent
formats = here.parent / "formats"


def wav(data, tag=1, channels=1, rate=16_000, bits=16, size=None, before=b""):
    """A WAV file whose header need not be true."""
    size = len(data) if size is None else size
    align = channels * bits // 8 % 65_536
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + before + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(len(body) - len(data) + size, 2**32 - 1)) + body


tone = [round(8_000 * math.sin(n / 5)) for n in range(800)]
pcm = struct.pack("<800h", *tone)
floats = [n / 2**15 for n in tone]
floats[100:104] = [math.nan, math.inf, -math.inf, 1e38]
flac = bytearray((formats / "reference.flac").read_bytes())
# STREAMINFO: the number of samples is the low 36 bits of the eight bytes at 18.
flac[21:26] = bytes([flac[21] | 0x0F, 255, 255, 255, 255])
mp3 = (formats / "stereo-44k.mp3").read_bytes()
opus = bytearray((formats / "stereo-48k.opus").read_bytes())
ogg = bytearray((formats / "stereo-48k.ogg").read_bytes())
for at in range(6_000, 6_100):
    ogg[at] ^= 0x55

files = {
    "empty.wav": b"",
    "text.wav": b"Dear diary, this is no audio at all. " * 20,
    "header-only.wav": wav(b""),
    "no-data-chunk.wav": wav(b"")[:36],
    "zero-channels.wav": wav(pcm, channels=0),
    "65535-channels.wav": wav(pcm, channels=65_535),
    "rate-0.wav": wav(pcm, rate=0),
    "rate-4-ghz.wav": wav(pcm, rate=4_000_000_000),
    "17-bits.wav": wav(pcm, bits=17),
    "unknown-codec.wav": wav(pcm, tag=0x2001),
    "claims-4-gb.wav": wav(pcm, size=2**32 - 100),
    "list-claims-4-gb.wav": wav(pcm, before=b"LIST" + struct.pack("<I", 2**32 - 16) + b"INFO"),
    "not-finite.wav": wav(struct.pack("<800f", *floats), tag=3, bits=32),
    "half-a-frame.wav": wav(pcm[:-1]),
    "claims-2-36-samples.flac": bytes(flac),
    "cut.flac": bytes(flac[:12_000]),
    "cut.mp3": mp3[:5_000],
    "id3-claims-256-mb.mp3": b"ID3\x04\0\0\x7f\x7f\x7f\x7fTIT2\x7f\x7f\x7f\x70\0\0" + mp3[:2_000],
    "cut.opus": bytes(opus[:4_000]),
    "flipped-bits.ogg": bytes(ogg),
    "cut.m4a": (formats / "stereo-44k.m4a").read_bytes()[:6_000],
    "cut.webm": (formats / "stereo-48k.webm").read_bytes()[:3_000],
}
for name, data in files.items():
    (here / name).write_bytes(data)
