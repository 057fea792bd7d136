#!/usr/bin/env python3
"""Makes tests/fixtures/onnx: small networks as people export them to ONNX, and what the reference computes with them.

The reference is Hugging Face transformers in double precision. Weights are random, as in wav2vec2.py; the input is the
noise of that script. A folder has a `model.onnx` and what exporters put beside it; `reference.safetensors` has the logits
for the sound, and for its first half, since lengths must not be fixed by the export. `model.safetensors` has the weights
that a network was exported from.

    pip install -r tests/reference/requirements.txt
    python tests/reference/onnx_models.py
"""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers as hf
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import save_file

from wav2vec2 import LABELS, PRE, SAMPLES, SMALL, random_network, sound

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "onnx"


class Wanted(torch.nn.Module):
    """What exporters export: samples in, logits or hidden states out."""

    def __init__(self, network, output):
        super().__init__()
        self.network = network
        self.output = output

    def forward(self, input_values):
        return self.network(input_values)[self.output]


def export(network, to: Path, output: str = "logits") -> None:
    """Writes one file, with the weights in it and any length of sound."""
    to.parent.mkdir(parents=True, exist_ok=True)
    samples = torch.tensor(sound())[None]
    torch.onnx.export(
        Wanted(network, output).eval(),
        (samples,),
        str(to),
        input_names=["input_values"],
        output_names=[output],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(to)
    for node in model.graph.node:
        # Where in the source a node came from, on the machine of the export: as large as the network itself.
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    onnx.save(model, to)


def beside(network, folder: Path) -> None:
    """Writes what exporters copy."""
    (folder / "config.json").write_text(json.dumps(network.config.to_dict(), indent=1, default=str) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}) + "\n")


def weights(network, folder: Path) -> None:
    """Writes the weights themselves, which are exact in half precision."""
    tensors = {name: weight.half().numpy() for name, weight in network.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")


def reference(network, to: Path) -> None:
    samples = torch.tensor(sound())[None].double()
    exact = copy.deepcopy(network).double()
    with torch.no_grad():
        logits = {"whole": exact(samples).logits, "half": exact(samples[:, : SAMPLES // 2]).logits}
    arrays = {key: np.ascontiguousarray(value[0].float().numpy()) for key, value in logits.items()}
    save_file(arrays, to / "reference.safetensors")


def compare(folder: Path, model: Path) -> None:
    """Says how far ONNX Runtime itself is from the reference."""
    from safetensors.numpy import load_file

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input_values": sound()[None]})
    error = np.abs(logits[0] - load_file(folder / "reference.safetensors")["whole"]).max()
    print(model.relative_to(FIXTURES), model.stat().st_size, "bytes, max abs error", error)


def ctc() -> None:
    """In the layout of optimum: the networks in a folder `onnx`, the rest above it."""
    folder = FIXTURES / "ctc"
    network = random_network(hf.Wav2Vec2ForCTC, dict(**SMALL, **PRE), 21)
    model, quantised = folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx"
    export(network, model)
    quantize_dynamic(str(model), str(quantised), weight_type=QuantType.QUInt8, op_types_to_quantize=["MatMul", "Gemm"])
    reference(network, folder)
    beside(network, folder)
    weights(network, folder)
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYP"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary) + "\n")
    compare(folder, model)
    compare(folder, quantised)
    encoder(network.wav2vec2)


def encoder(network) -> None:
    """The same network without its head: an export alone, as people keep it."""
    folder = FIXTURES / "encoder"
    export(network, folder / "model.onnx", "last_hidden_state")
    beside(network, folder)


def classifier() -> None:
    folder = FIXTURES / "classifier"
    network = random_network(hf.Wav2Vec2ForSequenceClassification, dict(**SMALL, **PRE, **LABELS), 22)
    export(network, folder / "model.onnx")
    reference(network, folder)
    beside(network, folder)
    weights(network, folder)
    compare(folder, folder / "model.onnx")


def save(name: str, nodes, inputs, outputs, initialisers=()) -> None:
    """A graph made by hand, of an opset that all versions know."""
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initialisers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (FIXTURES / name).mkdir(parents=True, exist_ok=True)
    onnx.save(model, FIXTURES / name / "model.onnx")


def tensor(name: str, values, kind=TensorProto.INT64):
    values = np.asarray(values)
    return helper.make_tensor(name, kind, values.shape, values.flatten().tolist())


def by_hand() -> None:
    """Frames of 5 samples at other types and shapes: what is in and out differs, the network is hardly one."""
    value = helper.make_tensor_value_info
    frames = tensor("frames", [0, -1, 5])
    sound_in = value("input_values", TensorProto.FLOAT, ["batch", "samples"])

    # Half precision in and out, and a mask of booleans: masked samples count as zero.
    save(
        "half",
        [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT16),
            helper.make_node("Mul", ["input_values", "mask"], ["heard"]),
            helper.make_node("Reshape", ["heard", "frames"], ["last_hidden_state"]),
        ],
        [
            value("attention_mask", TensorProto.BOOL, ["batch", "samples"]),
            value("input_values", TensorProto.FLOAT16, ["batch", "samples"]),
        ],
        [value("last_hidden_state", TensorProto.FLOAT16, ["batch", "frames", 5])],
        [frames],
    )
    # A mask of integers; the wanted output is not the first.
    save(
        "masked",
        [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["mask"], ["lengths"], keepdims=0),
            helper.make_node("Mul", ["input_values", "mask"], ["heard"]),
            helper.make_node("Reshape", ["heard", "frames"], ["logits"]),
        ],
        [sound_in, value("attention_mask", TensorProto.INT64, ["batch", "samples"])],
        [value("lengths", TensorProto.FLOAT, []), value("logits", TensorProto.FLOAT, ["batch", "frames", 5])],
        [frames],
    )
    # One length alone.
    save(
        "fixed",
        [helper.make_node("Reshape", ["input_values", "frames"], ["logits"])],
        [value("input_values", TensorProto.FLOAT, [1, 100])],
        [value("logits", TensorProto.FLOAT, [1, 20, 5])],
        [frames],
    )
    # What this kind of model is not.
    save(
        "log-mel",
        [helper.make_node("Transpose", ["input_features"], ["last_hidden_state"], perm=[0, 2, 1])],
        [value("input_features", TensorProto.FLOAT, ["batch", 80, 3000])],
        [value("last_hidden_state", TensorProto.FLOAT, ["batch", 3000, 80])],
    )
    save(
        "text",
        [helper.make_node("Cast", ["input_ids"], ["logits"], to=TensorProto.FLOAT)],
        [value("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [value("logits", TensorProto.FLOAT, ["batch", "tokens"])],
    )
    save(
        "two-inputs",
        [helper.make_node("Add", ["input_values", "speaker"], ["logits"])],
        [sound_in, value("speaker", TensorProto.FLOAT, ["batch", 1])],
        [value("logits", TensorProto.FLOAT, ["batch", "samples"])],
    )
    save(
        "batch-of-8",
        [helper.make_node("Identity", ["input_values"], ["logits"])],
        [value("input_values", TensorProto.FLOAT, [8, "samples"])],
        [value("logits", TensorProto.FLOAT, [8, "samples"])],
    )
    save(
        "integers-out",
        [helper.make_node("ArgMax", ["input_values"], ["label"], axis=1)],
        [sound_in],
        [value("label", TensorProto.INT64, ["batch", 1])],
    )


def main() -> None:
    for folder in FIXTURES.glob("*/"):
        shutil.rmtree(folder)
    ctc()
    classifier()
    by_hand()


if __name__ == "__main__":
    main()
