#!/usr/bin/env python3
"""Makes tests/fixtures/vocoder-mel.safetensors: log-mel frames as librosa's filters and PyTorch's transforms give them.

`ez-vc` and `bigvgan-24k` as `mel_spectrogram` of HiFi-GAN and BigVGAN computes them, `s3prl` as `logmelfilterbank` of S3PRL-VC,
of `sound`, noise that grows louder and falls silent.

    pip install -r tests/reference/requirements.txt
    python tests/reference/vocoder_mel.py
"""

from pathlib import Path

import librosa
import numpy
import torch
from safetensors.torch import save_file

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "vocoder-mel.safetensors"


def spectrum(sound, fft, window, hop, center):
    window = torch.hann_window(window, dtype=torch.float64)
    return torch.view_as_real(torch.stft(sound, fft, hop_length=hop, win_length=len(window), window=window, center=center,
                                         pad_mode="reflect", return_complex=True))


def hifi_gan(sound, rate, fft, window, hop, mels):
    padding = (fft - hop) // 2
    padded = torch.nn.functional.pad(sound[None], (padding, padding), mode="reflect")[0]
    magnitude = (spectrum(padded, fft, window, hop, False).pow(2).sum(-1) + 1e-9).sqrt()
    filters = torch.from_numpy(librosa.filters.mel(sr=rate, n_fft=fft, n_mels=mels, fmin=0, fmax=None, dtype=numpy.float64))
    return (filters @ magnitude).clamp(min=1e-5).log().T


def s3prl(sound, rate, fft, window, hop, mels, low, high):
    magnitude = spectrum(sound, fft, window, hop, True).pow(2).sum(-1).sqrt()
    filters = librosa.filters.mel(sr=rate, n_fft=fft, n_mels=mels, fmin=low, fmax=high, dtype=numpy.float64)
    return (torch.from_numpy(filters) @ magnitude).clamp(min=1e-10).log10().T


def main():
    random = torch.Generator().manual_seed(0)
    at = torch.arange(4000, dtype=torch.float64)
    sound = (0.2 + 0.2 * torch.sin(at / 700)) * torch.randn(4000, generator=random, dtype=torch.float64)
    sound = sound.float().double()
    frames = {
        "sound": sound,
        "ez-vc": hifi_gan(sound, 16000, 1024, 640, 160, 80),
        "bigvgan-24k": hifi_gan(sound, 24000, 1024, 1024, 256, 100),
        "s3prl": s3prl(sound, 24000, 1024, 1024, 256, 80, 80, 7600),
    }
    save_file({name: values.float().contiguous() for name, values in frames.items()}, FIXTURE)


if __name__ == "__main__":
    main()
