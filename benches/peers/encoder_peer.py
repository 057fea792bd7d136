"""Encodes noise by PyTorch or ONNX Runtime when told to on stdin: a length in seconds a line, answered by milliseconds;
at the end, by the peak of resident memory in MB.

    encoder_peer.py SYSTEM MODEL THREADS

SYSTEM is torch-f32, torch-bf16, ort-f32 or ort-int8; MODEL the folder that `encoder.py` makes.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np


def load(system: str, model: Path, threads: int):
    if system.startswith("torch"):
        import torch
        from transformers import Wav2Vec2Model

        torch.set_num_threads(threads)
        dtype = torch.bfloat16 if system.endswith("bf16") else torch.float32
        network = Wav2Vec2Model.from_pretrained(model, dtype=dtype).eval()

        def encode(samples: np.ndarray) -> None:
            with torch.inference_mode():
                network(torch.from_numpy(samples).to(dtype))

        return encode
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    name = "model_int8.onnx" if system.endswith("int8") else "model.onnx"
    session = onnxruntime.InferenceSession(model / name, options, providers=["CPUExecutionProvider"])
    return lambda samples: session.run(None, {"input_values": samples})


def main() -> None:
    system, model, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    start = time.perf_counter()
    encode = load(system, model, threads)
    print(f"{time.perf_counter() - start:.3f}", flush=True)
    random = np.random.default_rng(0)
    for line in sys.stdin:
        samples = random.standard_normal((1, int(float(line) * 16_000)), dtype=np.float32)
        start = time.perf_counter()
        encode(samples)
        print(f"{(time.perf_counter() - start) * 1000:.3f}", flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


if __name__ == "__main__":
    main()
