"""Measures the encoder of XLS-R-300M's shape, with random weights, in awaaz, PyTorch and ONNX Runtime.

    encoder.py --awaaz target/release/awaaz --model FOLDER

Systems take turns, length by length; the median of the rounds is told. FOLDER is made when it is not there: the weights,
their export and its dynamic int8, 3 GB in all.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

PEERS = ["torch-f32", "torch-bf16", "ort-f32", "ort-int8"]
OWN = ["f32", "int8"]
# Multiply-adds, doubled, of the network for each length, in GFLOP: convolutions, projections and attention.
GFLOP = {1: 35.6, 5: 185.5, 10: 383.8}


def prepare(folder: Path) -> None:
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from torch.nn.utils.parametrize import remove_parametrizations
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
        layerdrop=0.0,
    )
    network = Wav2Vec2Model(config).eval()
    network.save_pretrained(folder)
    # The quantiser wants weights that are there, not computed from a direction and a length.
    remove_parametrizations(network.encoder.pos_conv_embed.conv, "weight")
    torch.onnx.export(
        network,
        (torch.zeros(1, 16_000),),
        folder / "model.onnx",
        input_names=["input_values"],
        output_names=["last_hidden_state"],
        dynamic_axes={"input_values": {1: "samples"}, "last_hidden_state": {1: "frames"}},
        dynamo=False,
    )
    # Convolutions stay f32: in int8 they take twice as long as all else.
    options = {"weight_type": QuantType.QInt8, "op_types_to_quantize": ["MatMul"]}
    quantize_dynamic(folder / "model.onnx", folder / "model_int8.onnx", **options)


class Peer:
    """A system that runs for as long as the measurement does."""

    def __init__(self, name: str, model: Path, threads: int):
        script = Path(__file__).with_name("encoder_peer.py")
        command = [sys.executable, script, name, model, str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.load_s = float(self.process.stdout.readline())

    def encode(self, seconds: float) -> float:
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> float:
        self.process.stdin.close()
        return float(self.process.stdout.readline())


class Awaaz:
    """awaaz, started for each turn; it hears a length once before it is timed."""

    def __init__(self, program: str, precision: str, model: Path, threads: int):
        self.command = [program, "bench", "encoder", "--model", str(model), "--precision", precision]
        self.command += ["--threads", str(threads), "--rounds", "3", "--json"]
        self.load_s = 0.0
        self.peak = 0.0

    def encode(self, seconds: float) -> float:
        command = ["/usr/bin/time", "-f", "%M", *self.command, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.peak = max(self.peak, float(done.stderr.split()[-1]) / 1024)
        told = json.loads(done.stdout)
        self.load_s = told["load"]
        return told["lengths"][0]["median"] * 1000

    def close(self) -> float:
        return self.peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--awaaz", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PEERS))
    args = parser.parse_args()
    if not (args.model / "model_int8.onnx").exists():
        args.model.mkdir(parents=True, exist_ok=True)
        prepare(args.model)

    systems = {f"awaaz {own}": Awaaz(args.awaaz, own, args.model, args.threads) for own in OWN}
    systems |= {name: Peer(name, args.model, args.threads) for name in args.peers.split(",")}
    times = {name: {seconds: [] for seconds in GFLOP} for name in systems}
    for seconds in GFLOP:
        for name, system in systems.items():
            if isinstance(system, Peer):
                system.encode(seconds)
        for _ in range(args.rounds):
            for name, system in systems.items():
                times[name][seconds].append(system.encode(seconds))
    print("| system | load, s |" + "".join(f" {s} s, ms | GFLOP/s | RTF |" for s in GFLOP) + " peak, MB |")
    print("|---|---|" + "---|---|---|" * len(GFLOP) + "---|")
    for name, system in systems.items():
        row = f"| {name} | {system.load_s:.2f} |"
        for seconds, work in GFLOP.items():
            median = statistics.median(times[name][seconds])
            row += f" {median:.0f} | {work / median * 1000:.0f} | {median / seconds / 1000:.3f} |"
        print(f"{row} {system.close():.0f} |", flush=True)


if __name__ == "__main__":
    main()
