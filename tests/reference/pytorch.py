#!/usr/bin/env python3
"""Makes tests/fixtures/pytorch: checkpoints as torch.save writes them, and the same tensors in safetensors.

    pip install -r tests/reference/requirements.txt
    python tests/reference/pytorch.py
"""

import argparse
import json
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "pytorch"


def tensors() -> "OrderedDict[str, torch.Tensor]":
    """Tensors of each kind that networks have, and views of one storage."""
    random = torch.Generator().manual_seed(1)
    shared = torch.randn(60, generator=random)
    images = torch.randn(2, 3, 4, generator=random).half()
    return OrderedDict(
        [
            ("single.weight", torch.randn(6, 5, generator=random)),
            ("single.parameter", torch.nn.Parameter(torch.randn(3, generator=random))),
            ("half.weight", torch.randn(4, 3, generator=random).half()),
            ("brain.weight", torch.randn(7, generator=random).bfloat16()),
            ("scalar", torch.randn((), generator=random)),
            ("empty", torch.zeros(0, 4)),
            ("shared.whole", shared),
            ("shared.rows", shared[10:22].view(3, 4)),
            ("shared.columns", shared.view(12, 5)[1:, 1:3]),
            ("shared.transposed", shared.view(12, 5).t()),
            ("shared.every_third", shared[1::3]),
            ("half.permuted", images.permute(2, 0, 1)),
            ("brain.transposed", torch.randn(3, 2, generator=random).bfloat16().t()),
        ]
    )


def main() -> None:
    shutil.rmtree(FIXTURES, ignore_errors=True)
    (FIXTURES / "sharded").mkdir(parents=True)
    state = tensors()
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in state.items()}, FIXTURES / "equal.safetensors")
    unusable = {
        "counter": torch.tensor(3),
        "double": torch.ones(2, dtype=torch.float64),
        "repeated": torch.ones(1).expand(5),
    }
    torch.save(OrderedDict(**state, **unusable), FIXTURES / "pytorch_model.bin")
    torch.save(state, FIXTURES / "protocol-5.bin", pickle_protocol=5)
    torch.save(state, FIXTURES / "old.bin", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(FIXTURES / "pytorch_model.bin") as stored:
        with zipfile.ZipFile(FIXTURES / "deflated.bin", "w", zipfile.ZIP_DEFLATED) as deflated:
            for member in stored.namelist():
                deflated.writestr(member, stored.read(member))

    settings = argparse.Namespace(layers=2, rate=1e-4, languages=["hin", "tam"])
    optimiser = {"state": {0: {"step": 7, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"args": settings, "epoch": 3, "model": state, "optimizer": optimiser}, FIXTURES / "under-model.pt")
    torch.save({"config": {"dim": 2**40, "none": None}, "weights": dict(state)}, FIXTURES / "under-weights.pt")
    torch.save({"model": {"state_dict": state}, "version": "1.0"}, FIXTURES / "two-levels-down.pt")
    torch.save({"epoch": 3, "optimizer": optimiser}, FIXTURES / "no-tensors.pt")

    names = list(state)
    shards = [f"pytorch_model-{number}-of-2.bin" for number in (1, 2)]
    for shard, half in zip(shards, (names[:6], names[6:])):
        torch.save({name: state[name] for name in half}, FIXTURES / "sharded" / shard)
    weight_map = {name: shards[index >= 6] for index, name in enumerate(names)}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (FIXTURES / "sharded" / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
