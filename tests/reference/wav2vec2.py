#!/usr/bin/env python3
"""Makes tests/fixtures/wav2vec2 and mms-adapters: small networks of the wav2vec 2.0 family, and what the reference
computes with them.

The reference is Hugging Face transformers in double precision. Weights are random, rounded to f16, in the true layout;
the input is noise that the test computes again. Each folder has a `config.json`, a `model.safetensors` and a
`reference.safetensors` with all hidden states and, where there is a head, the logits. That of `xls-r` has the logits of sounds
of different lengths, too, padded to one batch with an attention mask.

    pip install -r tests/reference/requirements.txt
    python tests/reference/wav2vec2.py [name ...]

`mms-adapters`, in tests/fixtures itself, is a network with files of two languages beside it, one in safetensors and one
of PyTorch, and a `reference.safetensors` with the logits of each.
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from safetensors.numpy import save_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "wav2vec2"
ADAPTERS = FIXTURES.with_name("mms-adapters")
SAMPLES = 5000
# Frames further apart than WavLM tells.
MANY_SAMPLES = {"wavlm-far": 270_000}
# Parts of the noise that make a batch.
BATCH = [(0, 4000), (1000, 2000), (0, 5000)]
SMALL = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    conv_dim=[16] * 7,
    num_conv_pos_embeddings=128,
    num_conv_pos_embedding_groups=16,
    vocab_size=24,
)
POST = dict(feat_extract_norm="group", do_stable_layer_norm=False, conv_bias=False)
PRE = dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
LABELS = dict(id2label={i: f"label-{i}" for i in range(5)}, classifier_proj_size=12)

# Name, class, settings, and whether the positions' weights have the older of PyTorch's namings.
NETWORKS = [
    ("wav2vec2-base", hf.Wav2Vec2ForCTC, dict(**SMALL, **POST), True),
    ("xls-r", hf.Wav2Vec2ForCTC, dict(**SMALL, **PRE), False),
    ("xls-r-heads-of-120", hf.Wav2Vec2Model, dict(SMALL, **PRE, hidden_size=240, num_attention_heads=2, intermediate_size=16, num_conv_pos_embeddings=16), True),
    ("mms", hf.Wav2Vec2ForCTC, dict(**SMALL, **PRE, adapter_attn_dim=6), False),
    ("xls-r-classifier", hf.Wav2Vec2ForSequenceClassification, dict(**SMALL, **PRE, **LABELS), False),
    ("xls-r-weighted-classifier", hf.Wav2Vec2ForSequenceClassification, dict(**SMALL, **PRE, **LABELS, use_weighted_layer_sum=True), False),
    ("hubert-base", hf.HubertForCTC, dict(**SMALL, **POST), True),
    ("hubert-xlarge", hf.HubertModel, dict(**SMALL, **PRE, feat_proj_layer_norm=False), False),
    ("wavlm-base", hf.WavLMForCTC, dict(**SMALL, **POST, num_buckets=12, max_bucket_distance=14), False),
    ("wavlm-large", hf.WavLMModel, dict(**SMALL, **PRE, num_buckets=12, max_bucket_distance=14), True),
    ("data2vec", hf.Data2VecAudioForCTC, dict(SMALL, num_conv_pos_embeddings=5, conv_pos_kernel_size=19), False),
    ("xls-r-heads-of-80", hf.Wav2Vec2ForCTC, dict(SMALL, **PRE, hidden_size=160, num_attention_heads=2, num_conv_pos_embeddings=16), False),
    ("hubert-large", hf.HubertForCTC, dict(**SMALL, **PRE), True),
    ("wavlm-far", hf.WavLMForCTC, dict(SMALL, **PRE, hidden_size=16, num_attention_heads=2, num_buckets=320, max_bucket_distance=800), False),
]


def sound(samples: int = SAMPLES) -> np.ndarray:
    """Noise."""
    values, state = np.empty(samples, dtype=np.float32), 1
    for i in range(samples):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        values[i] = state / 2**31 - 1
    return values


def random_network(kind, settings: dict, seed: int):
    """Weights of unit gain; queries are larger, so that attention is neither flat nor one-hot."""
    random = torch.Generator().manual_seed(seed)
    config = kind.config_class(**settings, attn_implementation="eager")
    network = kind(config).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            values = torch.randn(weight.shape, generator=random)
            if "layer_norm" in name or "adapter_layer.norm" in name:
                values = 0.1 * values + float(name.endswith("weight"))
            elif name.endswith("bias"):
                values = 0.1 * values
            elif name.endswith(("original0", "weight_g")):
                values = 0.3 + 0.1 * values.abs()
            elif weight.dim() > 1:
                values = (3.0 if "q_proj" in name else 1.0) * weight[0].numel() ** -0.5 * values
            weight.copy_(values.half())
    return network


def run(network, samples: int) -> tuple[list[torch.Tensor], torch.Tensor | None]:
    """Hidden states and logits. Of pre-norm networks, transformers 5 lists the last state without the final norm; up to
    version 4, with which published heads were trained, it has the norm, and so it has here."""
    samples = torch.tensor(sound(samples))[None].double()
    output = network(samples, output_hidden_states=True)
    base = getattr(network, network.base_model_prefix, network)
    hidden = [*output.hidden_states[:-1], base(samples).last_hidden_state]
    if not getattr(network.config, "use_weighted_layer_sum", False):
        return hidden, output.get("logits")
    weights = torch.softmax(network.layer_weights, dim=0)
    mixed = sum(weight * state for weight, state in zip(weights, hidden))
    return hidden, network.classifier(network.projector(mixed).mean(dim=1))


def run_batch(network) -> list[torch.Tensor]:
    """Logits of sounds of different lengths, padded with silence and masked, without those of the padding."""
    lengths = [end - start for start, end in BATCH]
    samples = torch.zeros(len(BATCH), max(lengths), dtype=torch.double)
    mask = torch.zeros(samples.shape, dtype=torch.long)
    for row, (start, end) in enumerate(BATCH):
        samples[row, : end - start] = torch.tensor(sound()[start:end])
        mask[row, : end - start] = 1
    logits = network(samples, attention_mask=mask).logits
    frames = network._get_feat_extract_output_lengths(torch.tensor(lengths))
    return [logits[row, :count] for row, count in enumerate(frames)]


def make_adapters(folder: Path) -> None:
    """A network with adapters of two languages, whose alphabets are not of the size that `config.json` tells."""
    shutil.rmtree(folder, ignore_errors=True)
    settings = dict(SMALL, **PRE, adapter_attn_dim=6, num_conv_pos_embeddings=16)
    base = random_network(hf.Wav2Vec2ForCTC, settings, 100).half()
    base.save_pretrained(folder)
    for seed, (language, letters) in enumerate([("hin", 31), ("tam", 19)], start=101):
        network = random_network(hf.Wav2Vec2ForCTC, dict(settings, vocab_size=letters), seed)
        weights = {name: weight.detach().half() for name, weight in network._get_adapters().items()}
        if language == "hin":
            save_file({name: weight.numpy() for name, weight in weights.items()}, folder / f"adapter.{language}.safetensors")
        else:
            torch.save(weights, folder / f"adapter.{language}.bin")
    reference = {}
    for language in ["hin", "tam"]:
        network = hf.Wav2Vec2ForCTC.from_pretrained(
            folder, target_lang=language, ignore_mismatched_sizes=True, dtype=torch.float64, attn_implementation="eager"
        ).eval()
        with torch.no_grad():
            logits = network(torch.tensor(sound())[None].double()).logits
        reference[f"logits.{language}"] = logits[0].float().numpy()
        print(folder.name, language, logits.shape)
    save_file(reference, folder / "reference.safetensors")


def main() -> None:
    """Makes the fixtures that are named, or all."""
    wanted = sys.argv[1:] or [name for name, *_ in NETWORKS] + ["mms-adapters"]
    if "mms-adapters" in wanted:
        make_adapters(ADAPTERS)
    for seed, (name, kind, settings, old_names) in enumerate(NETWORKS):
        if name not in wanted:
            continue
        shutil.rmtree(FIXTURES / name, ignore_errors=True)
        network = random_network(kind, settings, seed)
        with torch.no_grad():
            hidden, logits = run(copy.deepcopy(network).double(), MANY_SAMPLES.get(name, SAMPLES))
            batch = run_batch(copy.deepcopy(network).double()) if name == "xls-r" else []
        reference = {f"hidden.{i}": state[0].float().numpy() for i, state in enumerate(hidden)}
        reference |= {f"batch.{i}": rows.float().numpy() for i, rows in enumerate(batch)}
        if logits is not None:
            reference["logits"] = logits[0].float().numpy()
        weights = {}
        for key, weight in network.state_dict().items():
            if "masked_spec_embed" in key:
                continue
            if old_names:
                key = key.replace("parametrizations.weight.original0", "weight_g")
                key = key.replace("parametrizations.weight.original1", "weight_v")
            weights[key] = weight.half().numpy()
        folder = FIXTURES / name
        folder.mkdir(parents=True)
        save_file(weights, folder / "model.safetensors")
        save_file({key: np.ascontiguousarray(value) for key, value in reference.items()}, folder / "reference.safetensors")
        (folder / "config.json").write_text(json.dumps(network.config.to_dict(), indent=1, default=str) + "\n")
        print(name, len(weights), "tensors", len(hidden), "hidden states")


if __name__ == "__main__":
    main()
