"""Reference values for tests/vad.rs from the Python package: pip install silero-vad==6.2.3 onnxruntime soundfile numpy

    silero.py fixture tests/fixtures/silero.json    the stored values (the signal is made, see `signal`)
    silero.py folder OUT CLIP...                    values for any clips at 16 kHz, for AWAAZ_VAD_REFERENCE=OUT
"""

import json
import math
import pathlib
import sys

import numpy as np
import onnxruntime
import silero_vad
from silero_vad.utils_vad import get_speech_timestamps_from_probs

FRAME, CONTEXT, RATE = 512, 64, 16000
OPTIONS = dict(threshold=0.5, min_speech_duration_ms=250, min_silence_duration_ms=100, speech_pad_ms=30)


def signal():
    """Eight seconds: voiced syllables with moving pitch and formants, in noise that grows; and silence."""
    noise_state, phase = 1, 0.0
    samples = np.zeros(8 * RATE, dtype=np.float64)
    for n in range(len(samples)):
        t = n / RATE
        noise_state = (noise_state * 1664525 + 1013904223) % 2**32
        noise = noise_state / 2**31 - 1.0
        pitch = 120.0 + 25.0 * math.sin(2.1 * t)
        phase += pitch / RATE
        loudness = max(math.sin(2 * math.pi * 2.5 * t), 0.0) if t % 4.0 < 2.6 else 0.0
        voice = 0.0
        for harmonic in range(1, 25):
            frequency = harmonic * pitch
            first = 500.0 + 250.0 * math.sin(7.0 * t)
            second = 1500.0 + 500.0 * math.sin(5.0 * t)
            gain = math.exp(-(((frequency - first) / 150.0) ** 2)) + 0.5 * math.exp(-(((frequency - second) / 200.0) ** 2))
            voice += gain * math.sin(2 * math.pi * harmonic * phase)
        samples[n] = 0.15 * loudness * voice + 0.01 * t / 8.0 * noise
    return samples.astype(np.float32)


def probabilities(samples):
    path = pathlib.Path(silero_vad.__file__).parent / "data" / "silero_vad.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = probabilities.__dict__.setdefault("session", onnxruntime.InferenceSession(str(path), options))
    samples = np.concatenate([np.zeros(CONTEXT), samples, np.zeros(-len(samples) % FRAME)]).astype(np.float32)
    state, values = np.zeros((2, 1, 128), dtype=np.float32), []
    for start in range(0, len(samples) - CONTEXT, FRAME):
        frame = samples[start : start + CONTEXT + FRAME][None]
        value, state = session.run(None, {"input": frame, "state": state, "sr": np.array(RATE, dtype=np.int64)})
        values.append(float(value[0, 0]))
    return values


def reference(samples):
    values = probabilities(samples)
    spans = get_speech_timestamps_from_probs(values, audio_length_samples=len(samples), **OPTIONS)
    return {
        "samples": len(samples),
        "probabilities": [round(value, 6) for value in values],
        "speech": [[span["start"], span["end"]] for span in spans],
    }


def main(mode, out, *clips):
    if mode == "fixture":
        pathlib.Path(out).write_text(json.dumps(reference(signal())) + "\n")
        return
    import soundfile

    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips):
        samples, rate = soundfile.read(clip, dtype="float32", always_2d=True)
        assert rate == RATE, f"{clip}: {rate} Hz"
        samples = samples.mean(axis=1)
        samples.astype("<f4").tofile(out / f"{number:05}.f32")
        (out / f"{number:05}.json").write_text(json.dumps({"clip": clip, **reference(samples)}))


main(*sys.argv[1:])
