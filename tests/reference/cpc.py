#!/usr/bin/env python3
"""Makes tests/fixtures/cpc: small networks of modified CPC, and what PyTorch computes with them.

The architecture is that of the authors' code, facebookresearch/CPC_audio, `cpc/model.py`: names, sizes but the widths,
norm and order of layers. Weights are random, rounded to f16 so that files are small; PyTorch computes in double precision.
Each `NAME.pt` has the layout of the published checkpoint, a dictionary with `config` and `weights`, and
`NAME-reference.safetensors` the samples, the outputs `z` and `c`, and those of the LSTM's layers before the last;
`one-layer.safetensors` has the tensors of `one-layer.pt`.
`training.pt` is as the authors' training leaves checkpoints; `batch-norm.pt`, `gru.pt` and `no-ar.pt` are what is refused.

    pip install -r tests/reference/requirements.txt
    python tests/reference/cpc.py
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "cpc"
SAMPLES = 8123

# Name, width of z, width of c, LSTM layers.
NETWORKS = [("one-layer", 16, 16, 1), ("two-layers", 16, 16, 2), ("widths", 12, 20, 3)]


class ChannelNorm(nn.Module):
    """Each frame over its channels, with the unbiased variance."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x):
        mean = x.mean(dim=1, keepdim=True)
        variance = x.var(dim=1, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + 1e-5) * self.weight + self.bias


class Encoder(nn.Module):
    SHAPES = [(10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1)]

    def __init__(self, width: int, norm):
        super().__init__()
        for index, (kernel, stride, padding) in enumerate(self.SHAPES):
            inputs = width if index else 1
            setattr(self, f"conv{index}", nn.Conv1d(inputs, width, kernel, stride=stride, padding=padding))
            setattr(self, f"batchNorm{index}", norm(width))

    def forward(self, x):
        for index in range(len(self.SHAPES)):
            x = functional.relu(getattr(self, f"batchNorm{index}")(getattr(self, f"conv{index}")(x)))
        return x


class Recurrent(nn.Module):
    def __init__(self, kind, inputs: int, width: int, layers: int):
        super().__init__()
        self.baseNet = kind(inputs, width, num_layers=layers, batch_first=True)


class Cpc(nn.Module):
    def __init__(self, z: int, c: int, layers: int, norm=ChannelNorm, recurrent=nn.LSTM):
        super().__init__()
        self.gEncoder = Encoder(z, norm)
        self.gAR = Recurrent(recurrent, z, c, layers)

    def forward(self, samples):
        """z, and the outputs of the recurrent network's layers, `[frames, width]`."""
        z = self.gEncoder(samples.view(1, 1, -1)).permute(0, 2, 1)
        outputs, x = [], z
        whole = self.gAR.baseNet
        for index in range(whole.num_layers):
            layer = nn.LSTM(x.shape[2], whole.hidden_size, batch_first=True).double()
            layer.load_state_dict({f"{part}_l0": getattr(whole, f"{part}_l{index}") for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]})
            x, _ = layer(x)
            outputs.append(x)
        c, _ = whole(z)
        torch.testing.assert_close(c, outputs[-1])
        return z[0], [output[0] for output in outputs]


def random_network(seed: int, *sizes, **kinds) -> Cpc:
    random = torch.Generator().manual_seed(seed)
    network = Cpc(*sizes, **kinds)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            values = torch.randn(weight.shape, generator=random)
            if "batchNorm" in name:
                values = 0.2 * values + float(name.endswith("weight"))
            elif "bias" in name:
                values = 0.2 * values
            else:
                values = values * (weight[0].numel() ** -0.5)
            weight.copy_(values.half())
    return network.eval()


def sound(seed: int) -> torch.Tensor:
    """Noise that grows louder and falls silent."""
    random = torch.Generator().manual_seed(seed)
    loudness = 0.1 + 0.1 * torch.sin(torch.arange(SAMPLES) / 900)
    return loudness * torch.randn(SAMPLES, generator=random)


def config(c: int, z: int, layers: int) -> dict:
    return dict(arMode="LSTM", normMode="layerNorm", encoder_type="cpc", hiddenEncoder=z, hiddenGar=c, nLevelsGRU=layers, learningRate=2e-4, pathDB=None)


def main() -> None:
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    for seed, (name, z, c, layers) in enumerate(NETWORKS):
        network = random_network(seed, z, c, layers)
        halves = {key: weight.detach().half() for key, weight in network.state_dict().items()}
        samples = sound(seed)
        torch.save({"config": config(c, z, layers), "weights": halves}, FIXTURES / f"{name}.pt")
        if name == "one-layer":
            save_file(halves, FIXTURES / f"{name}.safetensors")
        with torch.no_grad():
            z, outputs = network.double()(samples.double())
        reference = {"samples": samples, "z": z, "c": outputs[-1]}
        reference |= {f"layer.{index + 1}": output for index, output in enumerate(outputs[:-1])}
        reference = {key: value.float().contiguous() for key, value in reference.items()}
        save_file(reference, FIXTURES / f"{name}-reference.safetensors")

    small = random_network(9, 4, 4, 1).half().state_dict()
    torch.save({"gEncoder": small, "cpcCriterion": {"w": torch.zeros(2)}, "optimizer": {}, "best": small}, FIXTURES / "training.pt")
    batch_norm = random_network(9, 4, 4, 1, norm=nn.BatchNorm1d).half().state_dict()
    torch.save({"config": {}, "weights": batch_norm}, FIXTURES / "batch-norm.pt")
    gru = random_network(9, 4, 4, 1, recurrent=nn.GRU).half().state_dict()
    torch.save({"config": {}, "weights": gru}, FIXTURES / "gru.pt")
    no_ar = {key: weight for key, weight in small.items() if key.startswith("gEncoder")}
    torch.save({"config": {}, "weights": no_ar}, FIXTURES / "no-ar.pt")


if __name__ == "__main__":
    main()
