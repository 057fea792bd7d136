#!/usr/bin/env python3
"""Makes tests/fixtures/flow: small decoders of F5-TTS's kind, and what PyTorch computes with them.

The architecture is that of `SWivid/F5-TTS` (`model/backbones/dit.py`, `model/modules.py`, `model/cfm.py`), written anew by its
description; names of tensors are theirs. Weights are random, rounded to f16; PyTorch computes in double precision. Each
`NAME.safetensors` has the weights, `NAME-reference.safetensors` the prompt `known`, the `units` (counted from 0, those after
the last are absent), the `noise`, the velocities at time 0.3 with all of the condition (`told`) and without (`untold`), and
`sample`, what the noise becomes in 5 steps at guidance 2 and sway -1.

    pip install -r tests/reference/requirements.txt
    python tests/reference/flow.py
"""

import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "flow"
FRAMES, PROMPT, UNITS = 29, 11, 17

# Name, heads that are turned (0 for all), whether fillers are masked, values of a speaker's vector.
NETWORKS = [("first-head", 1, False, 0), ("all-heads", 0, True, 0), ("speaker", 1, False, 6)]
DIM, HEADS, HEAD, MELS, VOCABULARY, TEXT, DEPTH, BLOCKS = 32, 4, 8, 10, 12, 16, 2, 2


class Grn(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(1, 1, dim)), nn.Parameter(torch.zeros(1, 1, dim))

    def forward(self, x):
        length = x.norm(dim=1, keepdim=True)
        return self.gamma * (x * length / (length.mean(dim=-1, keepdim=True) + 1e-6)) + self.beta + x


class TextBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dwconv = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1, self.grn, self.pwconv2 = nn.Linear(dim, 2 * dim), Grn(2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x):
        y = self.norm(self.dwconv(x.transpose(1, 2)).transpose(1, 2))
        return x + self.pwconv2(self.grn(functional.gelu(self.pwconv1(y))))


class Text(nn.Module):
    def __init__(self, masked):
        super().__init__()
        self.text_embed = nn.Embedding(VOCABULARY + 1, TEXT)
        self.text_blocks = nn.Sequential(*[TextBlock(TEXT) for _ in range(BLOCKS)])
        self.masked = masked

    def forward(self, ids, drop):
        mask = (ids == 0)[..., None]
        x = self.text_embed(torch.zeros_like(ids) if drop else ids)
        rates = 10000 ** (-torch.arange(0, TEXT, 2, dtype=torch.float64) / TEXT)
        angles = torch.outer(torch.arange(ids.shape[1], dtype=torch.float64), rates)
        x = x + torch.cat([angles.cos(), angles.sin()], dim=-1)
        clean = lambda x: x.masked_fill(mask, 0) if self.masked else x
        x = clean(x)
        for block in self.text_blocks:
            x = clean(block(x))
        return x


class ConvPosition(nn.Module):
    def __init__(self):
        super().__init__()
        conv = lambda: nn.Conv1d(DIM, DIM, 31, groups=16, padding=15)
        self.conv1d = nn.Sequential(conv(), nn.Mish(), conv(), nn.Mish())

    def forward(self, x):
        return self.conv1d(x.transpose(1, 2)).transpose(1, 2)


class Input(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj, self.conv_pos_embed = nn.Linear(2 * MELS + TEXT, DIM), ConvPosition()

    def forward(self, *parts):
        x = self.proj(torch.cat(parts, dim=-1))
        return self.conv_pos_embed(x) + x


class Time(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(256, DIM), nn.SiLU(), nn.Linear(DIM, DIM))

    def forward(self, time):
        rates = torch.exp(torch.arange(128, dtype=torch.float64) * -(math.log(10000) / 127))
        angles = 1000 * time[:, None] * rates
        return self.time_mlp(torch.cat([angles.sin(), angles.cos()], dim=-1))


class Modulation(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.linear = nn.Linear(DIM, parts * DIM)
        self.parts = parts

    def forward(self, time):
        return self.linear(functional.silu(time))[:, None].chunk(self.parts, dim=-1)


def norm(x):
    return functional.layer_norm(x, (DIM,), eps=1e-6)


def turned(x):
    """Pairs of neighbours, by the place of their frame."""
    rates = 10000 ** (-torch.arange(0, HEAD, 2, dtype=torch.float64) / HEAD)
    angles = torch.outer(torch.arange(x.shape[2], dtype=torch.float64), rates)
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], HEAD // 2, 2).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


class Attention(nn.Module):
    def __init__(self, turned_heads):
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(DIM, DIM) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(DIM, DIM)])
        self.turned_heads = turned_heads or HEADS

    def forward(self, x):
        split = lambda x: x.view(1, -1, HEADS, HEAD).transpose(1, 2)
        turn = lambda x: torch.cat([turned(x[:, :self.turned_heads]), x[:, self.turned_heads:]], dim=1)
        q, k, v = turn(split(self.to_q(x))), turn(split(self.to_k(x))), split(self.to_v(x))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](mixed.transpose(1, 2).reshape(1, -1, DIM))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.ff = nn.Sequential(nn.Sequential(nn.Linear(DIM, 2 * DIM), nn.GELU("tanh")), nn.Dropout(0), nn.Linear(2 * DIM, DIM))

    def forward(self, x):
        return self.ff(x)


class Block(nn.Module):
    def __init__(self, turned_heads):
        super().__init__()
        self.attn_norm, self.attn, self.ff = Modulation(6), Attention(turned_heads), FeedForward()

    def forward(self, x, time):
        shift, scale, gate, shift_ff, scale_ff, gate_ff = self.attn_norm(time)
        x = x + gate * self.attn(norm(x) * (1 + scale) + shift)
        return x + gate_ff * self.ff(norm(x) * (1 + scale_ff) + shift_ff)


class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("inv_freq", 10000 ** (-torch.arange(0, HEAD, 2).float() / HEAD))


class Dit(nn.Module):
    def __init__(self, turned_heads, masked, speaker):
        super().__init__()
        self.time_embed, self.text_embed, self.input_embed, self.rotary_embed = Time(), Text(masked), Input(), Rotary()
        self.transformer_blocks = nn.ModuleList(Block(turned_heads) for _ in range(DEPTH))
        self.norm_out, self.proj_out = Modulation(2), nn.Linear(DIM, MELS)
        if speaker:
            self.speaker_embed = nn.Linear(speaker, DIM, bias=False)

    def forward(self, x, known, ids, time, speaker, drop):
        t = self.time_embed(time)
        if speaker is not None and not drop:
            t = t + self.speaker_embed(speaker)
        x = self.input_embed(x, torch.zeros_like(known) if drop else known, self.text_embed(ids, drop))
        for block in self.transformer_blocks:
            x = block(x, t)
        scale, shift = self.norm_out(t)
        return self.proj_out(norm(x) * (1 + scale) + shift)


def sampled(network, noise, known, ids, speaker):
    times = torch.tensor([0, 2, 4, 8, 16, 32], dtype=torch.float64) / 32
    times = times - (torch.cos(torch.pi / 2 * times) - 1 + times)
    x = noise
    for start, end in zip(times, times[1:]):
        told = network(x, known, ids, start[None], speaker, False)
        untold = network(x, known, ids, start[None], speaker, True)
        x = x + (end - start) * (told + 2 * (told - untold))
    return x


def random_network(seed, *sizes):
    random = torch.Generator().manual_seed(seed)
    network = Dit(*sizes)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            values = torch.randn(weight.shape, generator=random)
            if name.endswith("norm.weight"):
                values = 1 + 0.2 * values
            elif weight.dim() < 2 or "grn" in name:
                values = 0.2 * values
            elif "text_embed.text_embed" not in name:
                values = values * weight[0].numel() ** -0.5
            weight.copy_(values.half())
    return network


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    for seed, (name, turned_heads, masked, width) in enumerate(NETWORKS):
        network = random_network(seed, turned_heads, masked, width)
        halves = {f"ema_model.transformer.{key}": weight.detach().half() for key, weight in network.state_dict().items()}
        save_file(halves, FIXTURES / f"{name}.safetensors")
        random = torch.Generator().manual_seed(seed + 50)
        known = torch.zeros(1, FRAMES, MELS)
        known[:, :PROMPT] = torch.randn(1, PROMPT, MELS, generator=random)
        noise = torch.randn(1, FRAMES, MELS, generator=random)
        units = torch.randint(VOCABULARY, (1, UNITS), generator=random)
        speaker = torch.randn(1, width, generator=random) if width else None
        ids = functional.pad(units + 1, (0, FRAMES - UNITS))
        network, double = network.double(), lambda x: None if x is None else x.double()
        with torch.no_grad():
            arguments = double(known), ids, torch.tensor([0.3], dtype=torch.float64), double(speaker)
            reference = {
                "known": known[0, :PROMPT], "noise": noise, "units": units[0].float(),
                "told": network(double(noise), *arguments, False), "untold": network(double(noise), *arguments, True),
                "sample": sampled(network, double(noise), double(known), ids, double(speaker)),
            }
        if speaker is not None:
            reference["speaker"] = speaker[0]
        save_file({key: value.float().contiguous() for key, value in reference.items()}, FIXTURES / f"{name}-reference.safetensors")


if __name__ == "__main__":
    main()
