#!/usr/bin/env python3
"""Compares tests/fixtures/cpc and abx, which `cpc.py` and `abx.py` made, with what the authors' own code computes.

    git clone https://github.com/facebookresearch/CPC_audio
    pip install cython progressbar2 -r tests/reference/requirements.txt
    python tests/reference/cpc_authors.py CPC_audio

Run with commit b98a1bdf. The authors' network is loaded with the weights of each fixture; their ABX program reads the fixture's
features and `phones.item`, and computes in float32. Nothing is written.
"""

import importlib.machinery
import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy
import pyximport
import torch
from safetensors.torch import load_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def network() -> None:
    from cpc.model import CPCAR, CPCEncoder, CPCModel

    for path in sorted((FIXTURES / "cpc").glob("*-reference.safetensors")):
        checkpoint = torch.load(path.with_name(path.name.replace("-reference.safetensors", ".pt")))
        settings = checkpoint["config"]
        z, c, layers = (settings[name] for name in ["hiddenEncoder", "hiddenGar", "nLevelsGRU"])
        model = CPCModel(CPCEncoder(z, settings["normMode"]), CPCAR(z, c, False, layers, mode=settings["arMode"]))
        model.load_state_dict(checkpoint["weights"])
        model = model.double().eval()
        expected = load_file(path)
        with torch.no_grad():
            c, z, _ = model(expected["samples"].double().view(1, 1, -1), None)
        errors = {name: (found[0] - expected[name]).abs().max().item() for name, found in [("z", z), ("c", c)]}
        print(path.name, errors)
        assert max(errors.values()) < 1e-6


def abx(authors: Path) -> None:
    # The program imports its training for features that it would make itself; these are made.
    for name, members in [("cpc.dataset", ["findAllSeqs"]), ("cpc.feature_loader", ["buildFeature", "FeatureModule", "loadModel"])]:
        sys.modules[name] = types.ModuleType(name)
        for member in members:
            setattr(sys.modules[name], member, None)
    sys.path.insert(0, str(authors / "cpc" / "eval"))
    spec = importlib.util.spec_from_file_location("abx_program", authors / "cpc" / "eval" / "ABX.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    features = load_file(FIXTURES / "abx" / "features.safetensors")
    scores = program.ABX(
        lambda name: features[name][None].clone(),
        FIXTURES / "abx" / "phones.item",
        [(name, name) for name in sorted(features)],
        "cosine",
        100,
        ["within", "across"],
        max_x_across=1000,
        max_size_group=1000,
    )
    expected = json.loads((FIXTURES / "abx" / "expected.json").read_text())
    for mode, found in scores.items():
        print(mode, found, "off by", abs(found - expected[mode]))
        assert abs(found - expected[mode]) < 1e-5


def main() -> None:
    authors = Path(sys.argv[1])
    sys.path.insert(0, str(authors))
    # Its front end of MFCCs, which is not wanted, imports this.
    torchaudio = types.ModuleType("torchaudio")
    torchaudio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = torchaudio
    pyximport.install(setup_args={"include_dirs": numpy.get_include()}, language_level=3)
    network()
    abx(authors)


if __name__ == "__main__":
    main()
