#!/usr/bin/env python3
"""Makes tests/fixtures/whisper: small Whisper networks and what the reference implementation computes with them.

The reference is WhisperForConditionalGeneration of Hugging Face transformers, in double precision. Weights are
random, in the true layout; the input is a signal that the test can compute again. See the README beside the
fixtures for the tensors.

    pip install -r tests/reference/requirements.txt
    python tests/reference/whisper.py
"""

import copy
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from ctranslate2.converters.transformers import WhisperLoader
from safetensors.numpy import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "whisper"
RATE = 16_000
SHORT_SECONDS = 3
VOCABULARY = 384
TOKENS = [380, 7, 381, 0, 19, 255, 100, 101, 19, 42, 383, 5]

# Name, whether it is also written in CTranslate2's format, and the sizes. The first has heads 64 wide like every
# released Whisper and hears 30 s. The second has the mels and the deep encoder of turbo; it is narrow and hears
# 8 s, to be small.
NETWORKS = [
    (
        "mels80",
        False,
        dict(num_mel_bins=80, d_model=128, encoder_layers=2, decoder_layers=2, max_source_positions=1500),
    ),
    ("mels128", True, dict(num_mel_bins=128, d_model=64, encoder_layers=4, decoder_layers=2, max_source_positions=400)),
]


def signal(samples: int) -> np.ndarray:
    """A vowel-like tone whose pitch and loudness move, and a little noise."""
    t = np.arange(samples) / RATE
    phase = 2 * math.pi * (120 * t + 4 * np.sin(2 * math.pi * 0.5 * t))
    voice = sum(np.sin(k * phase) / k for k in range(1, 13))
    loudness = 0.5 - 0.5 * np.cos(2 * math.pi * 1.5 * t)
    noise = np.empty(samples)
    state = 1
    for i in range(samples):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        noise[i] = state / 2**31 - 1
    return (0.15 * loudness * voice + 0.01 * noise).astype(np.float32)


def random_network(config: WhisperConfig, seed: int) -> WhisperForConditionalGeneration:
    """Weights of unit gain, rounded to f16; queries are larger, so that attention is neither flat nor one-hot."""
    random = torch.Generator().manual_seed(seed)
    network = WhisperForConditionalGeneration(config).eval()
    for name, weight in network.state_dict().items():
        if name == "model.encoder.embed_positions.weight":
            values = weight  # sinusoids, as in every Whisper
        elif "layer_norm" in name:
            values = 0.1 * torch.randn(weight.shape, generator=random) + float(name.endswith("weight"))
        elif name.endswith("bias"):
            values = 0.1 * torch.randn(weight.shape, generator=random)
        elif "embed" in name or name == "proj_out.weight":
            values = 0.3 * torch.randn(weight.shape, generator=random)
        else:
            gain = 3.0 if "q_proj" in name else 1.0
            values = gain * weight[0].numel() ** -0.5 * torch.randn(weight.shape, generator=random)
        weight.copy_(values.half())
    network.tie_weights()
    return network


def double_copy(network: WhisperForConditionalGeneration, source_positions: int) -> WhisperForConditionalGeneration:
    """The network in double precision with only its first encoder positions: the form in which transformers
    computes an encoding of less than the full length."""
    config = WhisperConfig.from_dict({**network.config.to_dict(), "max_source_positions": source_positions})
    config._attn_implementation = "eager"
    double = WhisperForConditionalGeneration(config).double().eval()
    weights = dict(network.state_dict())
    positions = "model.encoder.embed_positions.weight"
    weights[positions] = weights[positions][:source_positions]
    double.load_state_dict({name: weight.double() for name, weight in weights.items()})
    double.tie_weights()
    return double


def log_mel(samples: np.ndarray, mels: int) -> np.ndarray:
    """Features of 30 s, [3000, mels]."""
    extractor = WhisperFeatureExtractor(feature_size=mels)
    return extractor(samples, sampling_rate=RATE, return_tensors="np").input_features[0].T


def forward(network: WhisperForConditionalGeneration, features: np.ndarray, weights: bool) -> dict[str, np.ndarray]:
    """Encoding [frames, dim] and logits [tokens, vocabulary] under teacher forcing; on request also the
    cross-attention weights [layers, heads, tokens, frames]."""
    out = double_copy(network, len(features) // 2)(
        input_features=torch.from_numpy(features.T.copy()).double()[None],
        decoder_input_ids=torch.tensor([TOKENS]),
        output_attentions=True,
    )
    result = {"encoding": out.encoder_last_hidden_state[0], "logits": out.logits[0]}
    if weights:
        result["cross_attention"] = torch.cat(out.cross_attentions)
    return {name: values.float().numpy() for name, values in result.items()}


def every(values: np.ndarray, step: int, name: str) -> dict[str, np.ndarray]:
    """Some rows, and which they are."""
    rows = np.arange(0, len(values), step, dtype=np.uint32)
    return {name: values[rows], f"{name}_frames": rows}


def references(network: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    """What is stored of the features, encodings and logits of a short and of a full input."""
    config = network.config
    result = {"tokens": np.array(TOKENS, dtype=np.uint32)}

    features = log_mel(signal(SHORT_SECONDS * RATE), config.num_mel_bins)[: 100 * SHORT_SECONDS]
    result |= every(features, 2, "short.log_mel")
    short = forward(network, features, weights=True)
    result |= every(short.pop("encoding"), 2, "short.encoding")
    result |= {f"short.{name}": values for name, values in short.items()}

    frames = 2 * config.max_source_positions
    # Cut before the features are made: their floor depends on the loudest frame of all.
    features = log_mel(signal(frames * RATE // 100), config.num_mel_bins)[:frames]
    result |= every(features, 40, "full.log_mel")
    full = forward(network, features, weights=False)
    result |= every(full["encoding"], 20, "full.encoding")
    result["full.logits"] = full["logits"]
    return result


def ctranslate2_spec(network: WhisperForConditionalGeneration, quantisation: str):
    # A copy, because the converter quantises in place.
    spec = WhisperLoader().get_model_spec(copy.deepcopy(network))
    spec.register_vocabulary([str(token) for token in range(VOCABULARY)])
    spec.validate()
    spec.optimize(quantisation)
    return spec


def write_ctranslate2(spec, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec.save(folder)
        shutil.copy(Path(folder) / "model.bin", path)


def quantised(network: WhisperForConditionalGeneration, spec) -> WhisperForConditionalGeneration:
    """The network with the weights that its int8 form in CTranslate2 stands for. They are taken from that form, since
    how half a step is rounded is the converter's own affair."""
    variables = spec.variables()

    def weight(name: str) -> torch.Tensor:
        integers = torch.from_numpy(variables[f"{name}/weight"].numpy()).double()
        scale = torch.from_numpy(variables[f"{name}/weight_scale"].numpy()).double()
        return integers / scale.reshape(-1, *[1] * (integers.dim() - 1))

    rounded = double_copy(network, network.config.max_source_positions)
    encoder, decoder = rounded.model.encoder, rounded.model.decoder

    def fill(name: str, *modules) -> None:
        for module, part in zip(modules, weight(name).chunk(len(modules))):
            module.weight.copy_(part)

    fill("encoder/conv1", encoder.conv1)
    fill("encoder/conv2", encoder.conv2)
    fill("decoder/embeddings", decoder.embed_tokens)
    rounded.proj_out.weight.copy_(decoder.embed_tokens.weight)
    for side, layers in (("encoder", encoder.layers), ("decoder", decoder.layers)):
        for index, layer in enumerate(layers):
            name = f"{side}/layer_{index}"
            own = layer.self_attn
            fill(f"{name}/self_attention/linear_0", own.q_proj, own.k_proj, own.v_proj)
            fill(f"{name}/self_attention/linear_1", own.out_proj)
            fill(f"{name}/ffn/linear_0", layer.fc1)
            fill(f"{name}/ffn/linear_1", layer.fc2)
            if side == "decoder":
                cross = layer.encoder_attn
                fill(f"{name}/attention/linear_0", cross.q_proj)
                fill(f"{name}/attention/linear_1", cross.k_proj, cross.v_proj)
                fill(f"{name}/attention/linear_2", cross.out_proj)
    return rounded


def main() -> None:
    torch.set_grad_enabled(False)
    for seed, (name, also_ctranslate2, sizes) in enumerate(NETWORKS):
        config = WhisperConfig(
            vocab_size=VOCABULARY,
            max_target_positions=64,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=2 * sizes["d_model"],
            decoder_ffn_dim=2 * sizes["d_model"],
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=0,
            decoder_start_token_id=0,
            **sizes,
        )
        network = random_network(config, seed)
        folder = FIXTURES / name
        network.half().save_pretrained(folder)
        network.float()
        (folder / "generation_config.json").unlink(missing_ok=True)
        expected = references(network)
        if also_ctranslate2:
            write_ctranslate2(ctranslate2_spec(network, "float16"), folder / "model-f16.bin")
            int8 = ctranslate2_spec(network, "int8_float16")
            write_ctranslate2(int8, folder / "model-int8.bin")
            features = log_mel(signal(SHORT_SECONDS * RATE), config.num_mel_bins)[: 100 * SHORT_SECONDS]
            expected["int8.short.logits"] = forward(quantised(network, int8), features, weights=False)["logits"]
        save_file(expected, folder / "reference.safetensors")


if __name__ == "__main__":
    main()
