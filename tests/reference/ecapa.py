#!/usr/bin/env python3
"""Makes tests/fixtures/speaker/ecapa: small networks of ECAPA-TDNN with random weights in the layouts of two codes, and what
they compute; and filter banks of Kaldi.

`speechbrain.ckpt` is a state of SpeechBrain's `ECAPA_TDNN`, whose features and network compute the reference. `tao.pt` is one
in the layout of TaoRuijie/ECAPA-TDNN, whose network is written again here, after its `model.py`; torchaudio computes its
features. Weights are rounded to f16. `NAME.safetensors` has vectors before they are brought to length 1, of noise of so many
samples as their names say. `fbank.safetensors` has filter banks by kaldi-native-fbank, of noise of 4000 samples.

    pip install -r tests/reference/requirements.txt
    pip install --no-deps speechbrain==1.1.2 torchaudio==2.11.0
    python tests/reference/ecapa.py
"""

from pathlib import Path

import kaldi_native_fbank
import numpy as np
import torch
import torchaudio
from safetensors.numpy import save_file
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.processing.features import InputNormalization
from torch import nn

from wav2vec2 import sound

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "speaker" / "ecapa"
NOISE = np.tile(sound(), 20) * np.float32(0.1)
LENGTHS = [800, 4000, 16000, 40001]


class Squeeze(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.se = nn.Sequential(
            nn.AdaptiveAvgPool1d(1), nn.Conv1d(channels, hidden, 1), nn.ReLU(), nn.Conv1d(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.se(x)


class Block(nn.Module):
    def __init__(self, channels, dilation, hidden):
        super().__init__()
        self.width = channels // 8
        self.conv1, self.bn1 = nn.Conv1d(channels, channels, 1), nn.BatchNorm1d(channels)
        part = lambda: nn.Conv1d(self.width, self.width, 3, dilation=dilation, padding=dilation)  # noqa: E731
        self.convs = nn.ModuleList([part() for _ in range(7)])
        self.bns = nn.ModuleList([nn.BatchNorm1d(self.width) for _ in range(7)])
        self.conv3, self.bn3 = nn.Conv1d(channels, channels, 1), nn.BatchNorm1d(channels)
        self.se = Squeeze(channels, hidden)

    def forward(self, x):
        parts = torch.split(self.bn1(self.conv1(x).relu()), self.width, 1)
        outputs = []
        for i in range(7):
            part = parts[i] if i == 0 else outputs[-1] + parts[i]
            outputs.append(self.bns[i](self.convs[i](part).relu()))
        out = self.bn3(self.conv3(torch.cat([*outputs, parts[7]], 1)).relu())
        return self.se(out) + x


class Emphasis(nn.Module):
    def forward(self, x):
        padded = nn.functional.pad(x.unsqueeze(1), (1, 0), "reflect")
        return nn.functional.conv1d(padded, torch.tensor([[[-0.97, 1.0]]], dtype=x.dtype)).squeeze(1)


class Tao(nn.Module):
    def __init__(self, channels, aggregated, attention, width, hidden):
        super().__init__()
        mel = torchaudio.transforms.MelSpectrogram(
            sample_rate=16000, n_fft=512, win_length=400, hop_length=160, f_min=20, f_max=7600, window_fn=torch.hamming_window, n_mels=80
        )
        self.torchfbank = nn.Sequential(Emphasis(), mel)
        self.conv1, self.bn1 = nn.Conv1d(80, channels, 5, padding=2), nn.BatchNorm1d(channels)
        self.layer1, self.layer2, self.layer3 = (Block(channels, dilation, hidden) for dilation in (2, 3, 4))
        self.layer4 = nn.Conv1d(3 * channels, aggregated, 1)
        self.attention = nn.Sequential(
            nn.Conv1d(3 * aggregated, attention, 1),
            nn.ReLU(),
            nn.BatchNorm1d(attention),
            nn.Tanh(),
            nn.Conv1d(attention, aggregated, 1),
            nn.Softmax(dim=2),
        )
        self.bn5, self.fc6, self.bn6 = nn.BatchNorm1d(2 * aggregated), nn.Linear(2 * aggregated, width), nn.BatchNorm1d(width)

    def forward(self, samples):
        x = (self.torchfbank(samples) + 1e-6).log()
        x = x - x.mean(dim=-1, keepdim=True)
        x = self.bn1(self.conv1(x).relu())
        x1 = self.layer1(x)
        x2 = self.layer2(x + x1)
        x3 = self.layer3(x + x1 + x2)
        x = self.layer4(torch.cat((x1, x2, x3), 1)).relu()
        mean, deviation = x.mean(2, keepdim=True), x.var(2, keepdim=True).clamp(min=1e-4).sqrt()
        weights = self.attention(torch.cat((x, mean.expand_as(x), deviation.expand_as(x)), 1))
        mean = (x * weights).sum(2)
        deviation = ((x**2 * weights).sum(2) - mean**2).clamp(min=1e-4).sqrt()
        return self.bn6(self.fc6(self.bn5(torch.cat((mean, deviation), 1))))


def randomise(network: nn.Module, seed: int) -> nn.Module:
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if not value.is_floating_point() or "torchfbank" in name:
                continue
            values = torch.randn(value.shape, generator=random)
            if value.dim() > 1:
                values = values * (2 / value[0].numel()) ** 0.5
            elif name.endswith("running_var"):
                values = 0.5 + values.abs()
            elif name.endswith("weight"):
                values = 1 + 0.2 * values
            else:
                values = 0.2 * values
            value.copy_(values.half())
    return network.eval()


def halves(network: nn.Module, prefix: str = "") -> dict:
    return {prefix + name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}


def speechbrain() -> None:
    network = randomise(
        ECAPA_TDNN(80, lin_neurons=12, channels=[16] * 4 + [24], attention_channels=10, se_channels=6), 1
    )
    torch.save(halves(network), FIXTURES / "speechbrain.ckpt")
    fbank, normalise = Fbank(n_mels=80), InputNormalization(norm_type="sentence", std_norm=False)
    network.double()
    vectors = {}
    for length in LENGTHS:
        with torch.no_grad():
            features = normalise(fbank(torch.from_numpy(NOISE[None, :length])), torch.ones(1))
            vectors[str(length)] = network(features.double())[0, 0].float().numpy()
    save_file(vectors, FIXTURES / "speechbrain.safetensors")
    print("speechbrain", np.abs(vectors["16000"]).max())


def tao() -> None:
    network = randomise(Tao(16, 24, 10, 12, 6), 2)
    state = halves(network, "speaker_encoder.")
    state = {name: value for name, value in state.items() if "torchfbank" not in name}
    torch.save(state | {"speaker_loss.weight": torch.zeros(3, 12)}, FIXTURES / "tao.pt")
    network.double()
    with torch.no_grad():
        vectors = {str(length): network(torch.from_numpy(NOISE[None, :length]).double())[0].float().numpy() for length in LENGTHS}
    save_file(vectors, FIXTURES / "tao.safetensors")
    print("tao", np.abs(vectors["16000"]).max())


def fbank() -> None:
    frames = {}
    for window in ["povey", "hamming"]:
        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither = 0
        options.frame_opts.window_type = window
        options.frame_opts.samp_freq = 16000
        options.mel_opts.num_bins = 80
        for scale in [1, 32768]:
            online = kaldi_native_fbank.OnlineFbank(options)
            online.accept_waveform(16000, (NOISE[:4000] * scale).tolist())
            online.input_finished()
            frames[f"{window}.{scale}"] = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
    save_file(frames, FIXTURES / "fbank.safetensors")
    print("fbank", frames["povey.1"].shape)


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    speechbrain()
    tao()
    fbank()


if __name__ == "__main__":
    main()
