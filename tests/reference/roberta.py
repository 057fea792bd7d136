#!/usr/bin/env python3
"""Makes tests/fixtures/roberta: small networks that sort texts into classes, and what the reference computes with them.

The reference is Hugging Face transformers in double precision. Weights are random, rounded to f16, in the true layout.
Each folder has a `config.json`, a `tokenizer.json` (a small one of the family's kind, trained on the sentences below), a
`model.safetensors` and a `reference.json`: for each text its tokens and the logits.

    pip install -r tests/reference/requirements.txt
    python tests/reference/roberta.py [name ...]
"""

import json
import sys
from pathlib import Path

import torch
import transformers as hf
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "roberta"
SENTENCES = [
    "It is raining in the mountains today.",
    "आज पहाड़ों में बारिश हो रही है।",
    "இன்று மலைகளில் மழை பெய்கிறது.",
    "آج پہاڑوں میں بارش ہو رہی ہے۔",
    "You are late again, and nobody is surprised!",
    "Kya baat hai, yaar? Bahut der ho gayi.",
]
TEXTS = SENTENCES + ["", "a", "Café  naïve ﬁne — ½ “quoted” 😀", "<pad> is written here", " ".join(SENTENCES * 4)]
SMALL = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    max_position_embeddings=66,
)
NAMES = {0: "safe", 1: "unsafe"}

# Name, class, settings, kind of tokenizer.
NETWORKS = [
    ("xlm-r", hf.XLMRobertaForSequenceClassification, dict(SMALL, id2label=NAMES, type_vocab_size=1), "unigram"),
    ("roberta-multi-label", hf.RobertaForSequenceClassification, dict(SMALL, type_vocab_size=1, id2label={0: "toxicity", 1: "anger", 2: "joy"}, problem_type="multi_label_classification"), "bytes"),
    ("bert", hf.BertForSequenceClassification, dict(SMALL, max_position_embeddings=64, id2label={0: "anger", 1: "joy", 2: "neutral"}), "wordpiece"),
]


def tokenizer(kind: str) -> Tokenizer:
    """A tokenizer with the parts that the family's has."""
    if kind == "wordpiece":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special)
        begin, end = "[CLS]", "[SEP]"
    else:
        special = ["<s>", "<pad>", "</s>", "<unk>"]
        begin, end = "<s>", "</s>"
    if kind == "unigram":
        made = Tokenizer(models.Unigram())
        made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>")
    elif kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=300, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    made.train_from_iterator(SENTENCES, trainer)
    ids = {name: made.token_to_id(name) for name in (begin, end)}
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", pair=f"{begin} $A {end} $B {end}", special_tokens=list(ids.items())
    )
    return made


def make(name: str, kind: type, settings: dict, tokens: str) -> None:
    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizer(tokens)
    made.save(str(folder / "tokenizer.json"))
    torch.manual_seed(sum(name.encode()))
    padding = made.token_to_id("[PAD]" if tokens == "wordpiece" else "<pad>")
    config = kind.config_class(**settings, vocab_size=made.get_vocab_size(), pad_token_id=padding)
    network = kind(config).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.copy_((torch.randn_like(value) * 0.15).half().float())
        for module in network.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.add_(1).copy_(module.weight.half().float())
    config.architectures = [kind.__name__]
    config.save_pretrained(folder)
    weights = {key: value.half().numpy() for key, value in network.state_dict().items() if "position_ids" not in key}
    save_file(weights, folder / "model.safetensors")
    network.double()
    longest = settings["max_position_embeddings"] - (0 if tokens == "wordpiece" else padding + 1)
    reference = []
    for text in TEXTS:
        ids = made.encode(text).ids
        entry = {"text": text, "tokens": ids}
        if len(ids) <= longest:
            with torch.no_grad():
                entry["logits"] = network(input_ids=torch.tensor([ids])).logits[0].tolist()
        reference.append(entry)
    (folder / "reference.json").write_text(json.dumps(reference, ensure_ascii=False, indent=1) + "\n")


for entry in NETWORKS:
    if len(sys.argv) == 1 or entry[0] in sys.argv[1:]:
        make(*entry)
