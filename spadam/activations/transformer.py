"""A transformer and its tokenizer, loaded for what they make of a text: tokens, and hidden states of one layer.

Shapes: B windows of a batch, T tokens of its longest window, D features.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from spadam.spec import InputError, at_home, nearest_path

MOST_TOKENS = 512
"""A window has at most so many tokens unless more are asked for: attention takes time that grows with their square."""

_ENDLESS = 10**9
"""A tokenizer that knows no limit says a number beyond this."""


class Piece(NamedTuple):
    """What the tokenizer made of a text, or of a part of one that is too long for a window."""

    text: int
    """Which of the texts that were given."""
    tokens: list[int]
    special: list[int]
    """1 for what the tokenizer has put around the text, such as [CLS]; 0 for what stands for it."""


class _Reached(Exception):
    """The hidden states that were wanted are there: nothing more need be computed."""


class Transformer:
    """A model in evaluation (no dropout), its weights and its arithmetic in float32.

    ``model`` is a folder that `save_pretrained` has written, or a name of the Hugging Face hub, of which ``revision``
    says the commit, branch or tag. Code that a model brings is never run. Raises :class:`InputError` about `--model`,
    and about `--layer` when it has no such layer.
    """

    def __init__(self, model: str, revision: str | None, layer: int, device: torch.device) -> None:
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # each try at a network that is not there
        where = _place(model)
        given: dict[str, Any] = {"trust_remote_code": False}
        given |= {"local_files_only": True} if isinstance(where, Path) else {"revision": revision}
        if isinstance(where, Path) and revision is not None:
            raise InputError("--revision", revision, "only a name of the hub has revisions", "remove it")
        self._name, self._device, self.layer = model, device, layer
        config = self._load(lambda: AutoConfig.from_pretrained(where, **given), "its config.json")
        self.blocks = self._count_blocks(config)
        if not 0 <= layer <= self.blocks:
            rule = f"must be from 0 (the embeddings) to {self.blocks} (the output of the last block of this model)"
            raise InputError("--layer", layer, rule, "choose another")
        self.commit: str | None = getattr(config, "_commit_hash", None)
        self._tokenizer = self._load(lambda: AutoTokenizer.from_pretrained(where, **given), "its tokenizer")
        self._model, loading = self._load(
            lambda: AutoModel.from_pretrained(where, dtype=torch.float32, output_loading_info=True, **given),
            "its weights",
        )
        # what stands behind the last block may be new: a pooler, which no layer goes through
        if missing := sorted(name for name in loading["missing_keys"] if "pooler" not in name):
            rule = f"must hold all weights, and {len(missing)} are missing, such as {missing[0]}"
            raise self._wrong(rule, "save or copy it again")
        self._model.config.use_cache = False  # of a decoder's keys and values, which nobody asks for again
        self._model.eval().to(device)
        self._check_tokenizer()
        self._stops_early = False
        with torch.inference_mode():
            self._try()

    @property
    def device(self) -> str:
        """Where it computes: cpu or cuda."""
        return self._device.type

    @property
    def architecture(self) -> str:
        """The class of the model, such as BertModel."""
        return type(self._model).__name__

    @property
    def longest(self) -> int | None:
        """So many tokens fit in a window; None where nothing says how many."""
        positions = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        limits = [n for n in (self._tokenizer.model_max_length, positions) if n is not None and n < _ENDLESS]
        return min(limits, default=None)

    @property
    def around(self) -> int:
        """How many special tokens stand around every window."""
        return int(self._tokenizer.num_special_tokens_to_add())

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the weights, by name, size and value in float32."""
        digest = hashlib.sha256()
        for name, weight in sorted(self._model.state_dict().items()):
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
            digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    @property
    def tokenizer_digest(self) -> str:
        """SHA-256 of all that the tokenizer goes by."""
        return hashlib.sha256(self._tokenizer.backend_tokenizer.to_str().encode()).hexdigest()

    def cut(self, texts: Sequence[str], most: int) -> list[Piece]:
        """The tokens of ``texts``, in pieces of at most ``most`` with the special tokens around each."""
        found = self._tokenizer(
            list(texts),
            truncation=True,
            max_length=most,
            return_overflowing_tokens=True,
            return_special_tokens_mask=True,
        )
        pieces = zip(found["overflow_to_sample_mapping"], found["input_ids"], found["special_tokens_mask"], strict=True)
        return [Piece(*piece) for piece in pieces]

    def hidden(self, windows: Sequence[Tensor]) -> list[Tensor]:
        """The hidden states of the layer for each of ``windows`` of tokens: (its tokens, D) float32, in this order.

        `hidden_states[layer]` of transformers: 0 is what goes into the first block, N what comes out of block N; where
        a model has a norm behind its last block, that of the last is taken behind the norm.
        """
        lengths = [len(window) for window in windows]
        # Filled up on the right, whatever the tokenizer would do: positions are then those of a window alone.
        fill = self._tokenizer.pad_token_id or 0
        tokens_BT = torch.full((len(windows), max(lengths)), fill, dtype=torch.int64)
        mask_BT = torch.zeros_like(tokens_BT)
        for row, window in enumerate(windows):
            tokens_BT[row, : len(window)] = window
            mask_BT[row, : len(window)] = 1
        with torch.inference_mode():
            hidden_BTD = self._forward(tokens_BT.to(self._device), mask_BT.to(self._device)).float().cpu()
        return [hidden_BTD[row, :length] for row, length in enumerate(lengths)]

    def _forward(self, tokens_BT: Tensor, mask_BT: Tensor) -> Tensor:
        given = {"input_ids": tokens_BT, "attention_mask": mask_BT}
        if self._stops_early:
            return self._until_block(given)
        states = self._model(**given, output_hidden_states=True).hidden_states
        if len(states) != self.blocks + 1:
            raise self._wrong(f"must give {self.blocks + 1} hidden states, and gives {len(states)}", "take another")
        found: Tensor = states[self.layer]
        return found

    def _until_block(self, given: dict[str, Tensor]) -> Tensor:
        """What goes into the block behind the layer; that block and all others are not computed."""

        def stop(_: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            raise _Reached(positional[0] if positional else named.get("hidden_states"))

        (blocks,) = self._lists_of_blocks()
        with blocks[self.layer].register_forward_pre_hook(stop, with_kwargs=True):
            try:
                self._model(**given)
            except _Reached as reached:
                found: Tensor = reached.args[0]
                return found
        raise AssertionError("the blocks of this model are not called one after another")

    def _lists_of_blocks(self) -> list[nn.ModuleList]:
        return [m for m in self._model.modules() if isinstance(m, nn.ModuleList) and len(m) == self.blocks]

    def _try(self) -> None:
        """Find how many features there are, and whether what goes into the next block is this layer's hidden state."""
        tokens_BT = torch.tensor([self.cut(["a few words to try it on"], MOST_TOKENS)[0].tokens], device=self._device)
        mask_BT = torch.ones_like(tokens_BT)
        whole_BTD = self._forward(tokens_BT, mask_BT)
        self.features = int(whole_BTD.shape[-1])
        if self.layer < self.blocks and len(self._lists_of_blocks()) == 1:
            early = self._until_block({"input_ids": tokens_BT, "attention_mask": mask_BT})
            self._stops_early = isinstance(early, Tensor) and torch.equal(early, whole_BTD)

    def _count_blocks(self, config: Any) -> int:
        if getattr(config, "is_encoder_decoder", False):
            raise self._wrong("must be an encoder or a decoder alone, and is both", "take another")
        blocks = getattr(config.get_text_config(), "num_hidden_layers", None)
        if not isinstance(blocks, int):
            raise self._wrong("must say how many blocks it has (num_hidden_layers), and does not", "take another")
        return blocks

    def _check_tokenizer(self) -> None:
        if not getattr(self._tokenizer, "is_fast", False):
            rule = f"its tokenizer must be a fast one, and {type(self._tokenizer).__name__} is not"
            raise self._wrong(rule, "save it with a tokenizer.json")
        # of a folder without its files transformers makes a tokenizer that knows no word
        if len(self._tokenizer) <= len(set(self._tokenizer.all_special_ids)):
            rule = f"its tokenizer must know words, and has {len(self._tokenizer)} tokens, all of them special"
            raise self._wrong(rule, "add tokenizer.json: tokenizer.save_pretrained(folder)")
        rows = int(self._model.get_input_embeddings().weight.shape[0])
        if len(self._tokenizer) > rows:
            rule = f"its tokenizer has {len(self._tokenizer)} tokens, and the model only {rows} embeddings"
            raise self._wrong(rule, "give each model its own tokenizer")

    def _load(self, load: Callable[[], Any], what: str) -> Any:
        try:
            return load()
        except Exception as error:  # of files, networks and formats: their kinds are many
            reason = " ".join(str(error).split())[:200].rstrip(".")
            rule = f"transformers must be able to load {what} ({type(error).__name__}: {reason})"
            remedy = "give the folder of a model (config.json, model.safetensors, tokenizer.json)"
            if not at_home(self._name, "--model").is_dir():
                remedy += ", or check the name and the network"
            raise self._wrong(rule, remedy) from None

    def _wrong(self, rule: str, remedy: str) -> InputError:
        return InputError("--model", self._name, rule, remedy)


def _place(model: str) -> Path | str:
    """A folder that is there, or a name of the hub."""
    path = at_home(model, "--model")
    if path.is_dir():
        return path
    if path.exists() or path.is_absolute() or model.startswith(("./", "../", "~")) or model.count("/") > 1:
        rule = "it must be a folder" if path.exists() else "there must be such a folder"
        near = nearest_path(path)
        remedy = (
            f"did you mean {near}?" if near and near != path else "give the folder of a model, or a name of the hub"
        )
        raise InputError("--model", model, rule, remedy)
    return model
