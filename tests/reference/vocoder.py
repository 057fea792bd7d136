#!/usr/bin/env python3
"""Makes tests/fixtures/vocoder: small generators of HiFi-GAN and BigVGAN, and what PyTorch computes with them.

The architectures are those of `jik876/hifi-gan` (`models.py`) and `NVIDIA/BigVGAN` (`bigvgan.py`, `alias_free_activation`),
written anew by their description; names of tensors are theirs. Weights are random, rounded to f16; PyTorch computes in double
precision. Each `NAME.json` is the configuration, `NAME.safetensors` the weights (`NAME.pt` where the authors' own layout is
read: a dictionary with `generator`), `NAME-reference.safetensors` the frames `mel`, `[frames, mels]`, and `sound`.

    pip install -r tests/reference/requirements.txt
    python tests/reference/vocoder.py
"""

import json
import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, weight_norm

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "vocoder"
FRAMES = 23

COMMON = dict(resblock="1", upsample_rates=[4, 2], upsample_kernel_sizes=[8, 4], upsample_initial_channel=32,
              resblock_kernel_sizes=[3, 7], resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], num_mels=10, n_fft=64, hop_size=8,
              win_size=64, sampling_rate=16000, fmin=0, fmax=None)

# Name, configuration, how norms are stored.
NETWORKS = [
    ("hifigan", COMMON, "g-and-v"),
    ("hifigan-2", COMMON | dict(resblock="2", upsample_rates=[5, 3], upsample_kernel_sizes=[8, 7], hop_size=15,
                                resblock_dilation_sizes=[[1, 2], [2, 6]], upsample_initial_channel=12), "plain"),
    ("snakebeta", COMMON | dict(activation="snakebeta", snake_logscale=True), "parametrized"),
    ("snake", COMMON | dict(activation="snake", snake_logscale=False, use_tanh_at_final=False, use_bias_at_final=False,
                            resblock="2", resblock_kernel_sizes=[3, 5, 11], resblock_dilation_sizes=[[1], [1, 3], [5]]), "pt"),
]


def kaiser_sinc(taps=12, cutoff=0.25, half_width=0.3):
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * half_width + 7.95
    beta = 0.1102 * (attenuation - 8.7) if attenuation > 50 else 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    window = torch.kaiser_window(taps, beta=beta, periodic=False, dtype=torch.float64)
    time = torch.arange(-taps // 2, taps // 2, dtype=torch.float64) + 0.5
    values = 2 * cutoff * window * torch.sinc(2 * cutoff * time)
    return values / values.sum()


class Snake(nn.Module):
    def __init__(self, channels, config):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        if config["activation"] == "snakebeta":
            self.beta = nn.Parameter(torch.zeros(channels))
        self.exponential = config["snake_logscale"]

    def forward(self, x):
        alpha, beta = self.alpha, getattr(self, "beta", self.alpha)
        if self.exponential:
            alpha, beta = alpha.exp(), beta.exp()
        return x + torch.sin(x * alpha[:, None]) ** 2 / (beta[:, None] + 1e-9)


class AntiAliased(nn.Module):
    def __init__(self, channels, config):
        super().__init__()
        self.act = Snake(channels, config)

    def forward(self, x):
        channels = x.shape[1]
        taps = kaiser_sinc().expand(channels, 1, -1)
        x = functional.pad(x, (5, 5), mode="replicate")
        x = 2 * functional.conv_transpose1d(x, taps, stride=2, groups=channels)[..., 15:-15]
        x = functional.pad(self.act(x), (5, 6), mode="replicate")
        return functional.conv1d(x, taps, stride=2, groups=channels)


class Leaky(nn.Module):
    def forward(self, x):
        return functional.leaky_relu(x, 0.1)


def activation(channels, config):
    return AntiAliased(channels, config) if "activation" in config else Leaky()


class Block(nn.Module):
    def __init__(self, channels, kernel, dilations, config):
        super().__init__()
        conv = lambda dilation: nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)
        if config["resblock"] == "1":
            self.convs1 = nn.ModuleList(conv(dilation) for dilation in dilations)
            self.convs2 = nn.ModuleList(conv(1) for _ in dilations)
            self.order = lambda: [pair for pair in zip(self.convs1, self.convs2)]
        else:
            self.convs = nn.ModuleList(conv(dilation) for dilation in dilations)
            self.order = lambda: [(conv,) for conv in self.convs]
        self.activations = nn.ModuleList(activation(channels, config) for convs in self.order() for _ in convs)

    def forward(self, x):
        activations = iter(self.activations)
        for convs in self.order():
            y = x
            for conv in convs:
                y = conv(next(activations)(y))
            x = x + y
        return x


class Generator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        channels = config["upsample_initial_channel"]
        self.conv_pre = nn.Conv1d(config["num_mels"], channels, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(config["upsample_rates"], config["upsample_kernel_sizes"]):
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([up]) if "activation" in config else up)
            channels //= 2
            for size, dilations in zip(config["resblock_kernel_sizes"], config["resblock_dilation_sizes"]):
                self.resblocks.append(Block(channels, size, dilations, config))
        if "activation" in config:
            self.activation_post = AntiAliased(channels, config)
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3, bias=config.get("use_bias_at_final", True))

    def forward(self, x):
        x = self.conv_pre(x)
        blocks = len(self.config["resblock_kernel_sizes"])
        for stage, up in enumerate(self.ups):
            x = up[0](x) if "activation" in self.config else up(functional.leaky_relu(x, 0.1))
            x = sum(block(x) for block in self.resblocks[stage * blocks:(stage + 1) * blocks]) / blocks
        x = self.activation_post(x) if "activation" in self.config else functional.leaky_relu(x)
        x = self.conv_post(x)
        return torch.tanh(x) if self.config.get("use_tanh_at_final", True) else x.clamp(-1, 1)


def random_generator(seed, config):
    random = torch.Generator().manual_seed(seed)
    network = Generator(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            values = torch.randn(weight.shape, generator=random)
            if name.endswith(("alpha", "beta")):
                values = 0.3 * values if config["snake_logscale"] else 1 + 0.5 * torch.rand(weight.shape, generator=random)
            elif name.endswith("bias"):
                values = 0.1 * values
            else:
                fan = weight[0].numel() if "ups" not in name else weight.shape[0] * 2
                values = 0.7 * values * fan ** -0.5
            weight.copy_(values.half())
    return network


def normed(network, storage):
    """The same network with norms beside directions."""
    if storage == "plain":
        return network
    norm = parametrizations.weight_norm if storage == "parametrized" else weight_norm
    for module in list(network.modules()):
        if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
            norm(module)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.half())
    return network


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    for seed, (name, config, storage) in enumerate(NETWORKS):
        network = normed(random_generator(seed, config), storage)
        halves = {key: weight.detach().half().contiguous() for key, weight in network.state_dict().items()}
        (FIXTURES / f"{name}.json").write_text(json.dumps(config) + "\n")
        if storage == "pt":
            torch.save({"generator": halves}, FIXTURES / f"{name}.pt")
        else:
            save_file(halves, FIXTURES / f"{name}.safetensors")
        mel = torch.randn(1, config["num_mels"], FRAMES, generator=torch.Generator().manual_seed(seed + 100))
        with torch.no_grad():
            sound = network.double()(mel.double())
        save_file({"mel": mel[0].T.contiguous(), "sound": sound.flatten().float()}, FIXTURES / f"{name}-reference.safetensors")


if __name__ == "__main__":
    main()
