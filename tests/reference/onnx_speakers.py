#!/usr/bin/env python3
"""Makes tests/fixtures/onnx-speakers: small speaker encoders as WeSpeaker and 3D-Speaker export them, and what the reference
computes with them.

`resnet.onnx` is built as WeSpeaker's ResNet (`wespeaker/models/resnet.py`: blocks of two convolutions, mean and deviation over
time, a linear layer), with the input `feats` and the output `embs`; `campplus.onnx` as 3D-Speaker's CAM++
(`speakerlab/models/campplus/DTDNN.py`: a convolutional front, densely connected layers with context masks, mean and deviation),
with the input `feature` and the output `embedding`. Both have few channels and random weights. The reference are filter banks
by kaldi-native-fbank without dither, less their mean over time, and PyTorch in double precision. `reference.safetensors` has
vectors of the noise of `ecapa.py` times 0.1, of so many samples as the names say.

    pip install -r tests/reference/requirements.txt
    python tests/reference/onnx_speakers.py
"""

import copy
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "onnx-speakers"
LENGTHS = [8000, 16000, 23456]


def noise(samples: int) -> np.ndarray:
    state, values = 1, []
    for _ in range(5000):
        state = (state * 1_664_525 + 1_013_904_223) % (1 << 32)
        values.append(state / (1 << 31) - 1.0)
    return np.tile(np.array(values, dtype=np.float32), samples // 5000 + 1)[:samples] * np.float32(0.1)


def filter_banks(samples: np.ndarray, window: str, scale: float) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = 80
    online = kaldi_native_fbank.OnlineFbank(options)
    online.accept_waveform(16000, (samples * scale).tolist())
    online.input_finished()
    frames = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)]).astype(np.float64)
    return frames - frames.mean(0)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """[1, frames, 80] to [1, 12]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.layers = nn.Sequential(Block(4, 4, 1), Block(4, 6, 2), Block(6, 8, 2), Block(8, 8, 2))
        self.seg_1 = nn.Linear(8 * 10 * 2, 12)

    def forward(self, feats):
        x = feats.permute(0, 2, 1).unsqueeze(1)
        x = self.layers(F.relu(self.bn1(self.conv1(x)))).flatten(1, 2)
        deviation = torch.sqrt(x.var(-1, unbiased=True) + 1e-7)
        return self.seg_1(torch.cat([x.mean(-1), deviation], 1))


class Context(nn.Module):
    """A layer whose channels are masked by what is around, and in all of the sound."""

    def __init__(self, inputs: int, growth: int, dilation: int):
        super().__init__()
        self.norm, self.enter = nn.BatchNorm1d(inputs), nn.Conv1d(inputs, 8, 1, bias=False)
        self.local = nn.Conv1d(8, growth, 3, padding=dilation, dilation=dilation, bias=False)
        self.squeeze, self.excite = nn.Conv1d(8, 4, 1), nn.Conv1d(4, growth, 1)

    def forward(self, x):
        x = F.relu(self.enter(F.relu(self.norm(x))))
        around = F.avg_pool1d(x, 10, 10, ceil_mode=True)
        around = around.repeat_interleave(10, -1)[..., : x.shape[-1]]
        mask = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean(-1, keepdim=True) + around))))
        return self.local(x) * mask


class Campplus(nn.Module):
    """[1, frames, 80] to [1, 10]."""

    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(Block(1, 4, 1), nn.Conv2d(4, 4, 3, (2, 1), 1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.tdnn = nn.Sequential(nn.Conv1d(4 * 40, 12, 5, 2, 2, bias=False), nn.BatchNorm1d(12), nn.ReLU())
        self.dense = nn.ModuleList([Context(12 + 6 * i, 6, 1 + i) for i in range(3)])
        self.linear, self.norm = nn.Linear(2 * 30, 10, bias=False), nn.BatchNorm1d(10, affine=False)

    def forward(self, feature):
        x = self.tdnn(self.front(feature.permute(0, 2, 1).unsqueeze(1)).flatten(1, 2))
        for layer in self.dense:
            x = torch.cat([x, layer(x)], 1)
        return self.norm(self.linear(torch.cat([x.mean(-1), x.std(-1, unbiased=True)], 1)))


def random(network: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            # With small biases the vector depends on the sound.
            value.copy_(torch.randn(value.shape, generator=generator) * (0.3 if value.dim() > 1 else 0.02))
        if name.endswith("weight") and value.dim() == 1:
            value.add_(1.0)
        if name.endswith("running_var"):
            value.abs_().add_(0.5)
    return network.eval()


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    networks = [
        ("resnet", ResNet(), "feats", "embs", "hamming", 32768.0),
        ("campplus", Campplus(), "feature", "embedding", "povey", 1.0),
    ]
    vectors = {}
    for seed, (name, network, enter, leave, window, scale) in enumerate(networks):
        random(network, seed)
        example = torch.randn(1, 98, 80)
        path = FIXTURES / f"{name}.onnx"
        axes = {enter: {0: "batch", 1: "frames"}, leave: {0: "batch"}}
        torch.onnx.export(
            network, (example,), str(path), input_names=[enter], output_names=[leave], dynamic_axes=axes, dynamo=False
        )
        model = onnx.load(path)
        for node in model.graph.node:
            node.doc_string = ""
        onnx.save(model, path)
        exact = copy.deepcopy(network).double()
        for length in LENGTHS:
            features = torch.from_numpy(filter_banks(noise(length), window, scale))[None]
            with torch.no_grad():
                vectors[f"{name}.{length}"] = exact(features)[0].float().numpy()
    save_file(vectors, FIXTURES / "reference.safetensors")
    for name, vector in vectors.items():
        print(name, vector)


main()
