#!/usr/bin/env python3
"""Makes tests/fixtures/synthesiser: small synthesisers of S3PRL-VC, and what PyTorch computes with them.

The architectures are those of `unilight/s3prl-vc` (`models/Taco2_AR.py`), written anew by their description; names of tensors are
theirs. Weights are random, rounded to f16; PyTorch computes in double precision, without the prenet's dropout. Each
`NAME.safetensors` has the weights, `NAME-reference.safetensors` the `features` at the rate of the frames, the `speaker` where
there is one, and the `frames`.

    pip install -r tests/reference/requirements.txt
    python tests/reference/synthesiser.py
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "synthesiser"
INPUTS, MELS, WIDTH, FRAMES = 7, 5, 12, 19

# Name, encoder, widths of the prenet (None for parallel decoding), values of a speaker's vector, how it is joined.
NETWORKS = [
    ("simple", "ffn", None, 0, None),
    ("simple-speaker", "ffn", None, 6, "concat"),
    ("simple-ar", "ffn", [], 12, "add"),
    ("taco2-ar", "taco2", [8, 6], 6, "concat"),
]


class Taco2Encoder(nn.Module):
    def __init__(self, channels=10):
        super().__init__()
        self.input_layer = nn.Linear(INPUTS, channels)
        conv = lambda: nn.Sequential(nn.Conv1d(channels, channels, 5, padding=2, bias=False), nn.BatchNorm1d(channels), nn.ReLU())
        self.convs = nn.ModuleList(conv() for _ in range(3))
        self.blstm = nn.LSTM(channels, WIDTH // 2, 1, batch_first=True, bidirectional=True)

    def forward(self, x):
        x = self.input_layer(x).transpose(1, 2)
        for conv in self.convs:
            x = conv(x)
        return self.blstm(x.transpose(1, 2))[0]


class Prenet(nn.Module):
    def __init__(self, widths):
        super().__init__()
        sizes = zip([MELS] + widths, widths)
        self.prenet = nn.ModuleList(nn.Sequential(nn.Linear(*pair), nn.ReLU()) for pair in sizes)

    def forward(self, x):
        for layer in self.prenet:
            x = layer(x)
        return x


class Layer(nn.Module):
    def __init__(self, inputs, parallel):
        super().__init__()
        if parallel:
            self.layer = nn.LSTM(inputs, WIDTH, batch_first=True)
        else:
            self.cell = nn.LSTMCell(inputs, WIDTH)
        self.pj = nn.Linear(WIDTH, WIDTH)


class Synthesiser(nn.Module):
    def __init__(self, encoder, prenet, speaker, join):
        super().__init__()
        self.encoder = Taco2Encoder() if encoder == "taco2" else nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.ReLU())
        self.parallel, self.join = prenet is None, join
        told = 0 if self.parallel else (prenet[-1] if prenet else MELS)
        self.prenet = Prenet(prenet or [])
        self.lstmps = nn.ModuleList([Layer(WIDTH + told, self.parallel), Layer(WIDTH, self.parallel)])
        self.proj = nn.Linear(WIDTH, MELS)
        if speaker:
            self.spk_emb_projection = nn.Linear(speaker + (WIDTH if join == "concat" else 0), WIDTH)
        self.register_buffer("target_mean", torch.zeros(MELS))
        self.register_buffer("target_scale", torch.ones(MELS))

    def forward(self, features, speaker):
        x = self.encoder(features)
        if speaker is not None:
            unit = functional.normalize(speaker, dim=-1)[:, None]
            if self.join == "add":
                x = x + self.spk_emb_projection(unit)
            else:
                x = self.spk_emb_projection(torch.cat([x, unit.expand(-1, x.shape[1], -1)], dim=-1))
        if self.parallel:
            for layer in self.lstmps:
                x = torch.tanh(layer.pj(layer.layer(x)[0]))
            return self.proj(x)
        states = [(x.new_zeros(1, WIDTH), x.new_zeros(1, WIDTH)) for _ in self.lstmps]
        last, frames = x.new_zeros(1, MELS), []
        for frame in x.transpose(0, 1):
            y = torch.cat([frame, self.prenet(last)], dim=1)
            for at, layer in enumerate(self.lstmps):
                hidden, cell = layer.cell(y, states[at])
                y = torch.tanh(layer.pj(hidden))
                # The projection is what is remembered.
                states[at] = (y, cell)
            frames.append(self.proj(y))
            last = (frames[-1] - self.target_mean) / self.target_scale
        return torch.stack(frames, dim=1)


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    for seed, (name, encoder, prenet, width, join) in enumerate(NETWORKS):
        random = torch.Generator().manual_seed(seed)
        network = Synthesiser(encoder, prenet, width, join).eval()
        with torch.no_grad():
            for key, weight in network.state_dict().items():
                if weight.dtype != torch.float32:
                    continue
                values = torch.randn(weight.shape, generator=random)
                if key.endswith(("running_var", "target_scale")):
                    values = 0.5 + values.abs()
                elif weight.dim() > 1:
                    values = values * weight[0].numel() ** -0.5
                weight.copy_(values.half())
        floats = {key: weight.half().contiguous() for key, weight in network.state_dict().items() if weight.dtype == torch.float32}
        save_file(floats, FIXTURES / f"{name}.safetensors")
        features = torch.randn(1, FRAMES, INPUTS, generator=random)
        speaker = torch.randn(1, width, generator=random) if width else None
        with torch.no_grad():
            frames = network.double()(features.double(), speaker.double() if width else None)
        reference = {"features": features, "frames": frames.float()} | ({"speaker": speaker} if width else {})
        save_file({key: value.contiguous() for key, value in reference.items()}, FIXTURES / f"{name}-reference.safetensors")


if __name__ == "__main__":
    main()
