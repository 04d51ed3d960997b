"""What is written is what a naive pass over the text gives, a document at a time."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from activations.conftest import FULL, LINES, Call, Found
from spadam.data import ArraySpec
from spadam.data.exclude import ExcludeSpec
from support.tiny_transformers import KINDS, MINILM, Naive, save

CLOSE = {"rtol": 0, "atol": 2e-5}
"""Sums of float32 over 384 and 1536 products of norm 13, in another order: 1e-6 of it."""


@pytest.mark.parametrize("layer", [0, 4, 6])
def test_minilm_gives_what_a_naive_pass_gives(call: Call, text: Path, tmp_path: Path, layer: int) -> None:
    code, said, _ = call(model=MINILM, layer=layer, text=text, out=tmp_path / "acts", dtype="float32", max_tokens=32)
    assert code == 0
    found, naive = Found(tmp_path / "acts"), Naive(MINILM)
    windows = [(n, tokens) for n in FULL for tokens in naive.windows(LINES[n], 32)]
    assert found.tokens.tolist() == [token for _, tokens in windows for token in tokens]
    assert found.documents.tolist() == [n for n, tokens in windows for _ in tokens]
    assert found.special.tolist() == [at in (0, len(tokens) - 1) for _, tokens in windows for at in range(len(tokens))]
    expected = torch.cat([naive.states(tokens)[layer] for _, tokens in windows])
    torch.testing.assert_close(found.rows, expected, **CLOSE)
    summary = found.summary
    assert {name: summary[name] for name in ("documents", "empty_documents", "split_documents", "blocks")} == {
        "documents": 4,
        "empty_documents": 2,
        "split_documents": 1,
        "blocks": 6,
    }
    assert summary["windows"] == len(windows)
    assert summary["tokens"] == len(expected)
    assert summary["special_tokens"] == 2 * len(windows)
    assert summary["settings"]["text_sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()
    assert "4 documents; 1 in several windows of 32 tokens; 2 empty ones left out; 384 features, 1 shard" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_every_layer_of_every_kind_is_hidden_states_of_transformers(
    call: Call, text: Path, tmp_path: Path, kind: str, layer: int
) -> None:
    folder = save(kind, tmp_path / kind)
    out = tmp_path / "acts"
    assert call(model=folder, layer=layer, text=text, out=out, dtype="float32", max_tokens=20)[0] == 0
    naive = Naive(folder)
    windows = [tokens for n in FULL for tokens in naive.windows(LINES[n], 20)]
    expected = torch.cat([naive.states(tokens)[layer] for tokens in windows])
    torch.testing.assert_close(Found(out).rows, expected, rtol=0, atol=2e-6)


def test_batches_and_the_side_of_padding_change_no_value(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    left = save("bert", tmp_path / "left", padding="left")
    asked = {"layer": 2, "text": text, "dtype": "float32", "max_tokens": 24}
    call(model=tiny, out=tmp_path / "one", batch_size=1, **asked)
    call(model=tiny, out=tmp_path / "many", batch_size=64, **asked)
    call(model=left, out=tmp_path / "padded", batch_size=64, **asked)
    one, many, padded = (Found(tmp_path / name) for name in ("one", "many", "padded"))
    assert one.tokens.tolist() == many.tokens.tolist()
    torch.testing.assert_close(one.rows, many.rows, rtol=0, atol=2e-6)
    assert torch.equal(many.rows, padded.rows)


def test_the_same_again_gives_the_same_bits(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert call(model=tiny, layer=1, text=text, out=tmp_path / name)[0] == 0
    for path in [path for path in (tmp_path / "one").iterdir() if path.suffix in (".npy", ".safetensors")]:
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_values_are_rounded_once(call: Call, text: Path, tiny: Path, tmp_path: Path, dtype: str) -> None:
    call(model=tiny, layer=2, text=text, out=tmp_path / "acts", dtype=dtype)
    call(model=tiny, layer=2, text=text, out=tmp_path / "exact", dtype="float32")
    found = Found(tmp_path / "acts").rows
    assert found.dtype == getattr(torch, dtype)
    assert torch.equal(found, Found(tmp_path / "exact").rows.to(found.dtype))


@pytest.mark.parametrize("rows", [1, 7, 24, 1000])
def test_shards_have_one_size_and_their_boundaries_cut_windows(
    call: Call, text: Path, tiny: Path, tmp_path: Path, rows: int
) -> None:
    asked = {"model": tiny, "layer": 2, "text": text, "dtype": "float32", "max_tokens": 24, "batch_size": 2}
    call(out=tmp_path / "whole", **asked)
    call(out=tmp_path / "parts", shard_mb=(rows + 0.5) * 8 * 4 / 1e6, **asked)
    whole, parts = Found(tmp_path / "whole"), Found(tmp_path / "parts")
    sizes = [len(shard) for shard in parts.shards]
    assert len(whole.shards) == 1
    assert sum(sizes) == len(whole.rows)
    assert sizes[:-1] == [rows] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= rows
    torch.testing.assert_close(parts.rows, whole.rows, rtol=0, atol=2e-6)
    assert parts.documents.tolist() == whole.documents.tolist()


def test_records_are_documents_and_their_numbers_are_lines(call: Call, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    records = [json.dumps({"body": "two\nlines", "id": 3}), "", json.dumps({"body": ""}), '{"body": "caf\\u00e9"}']
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(records).encode())
    assert call(model=tiny, layer=0, text=path, out=tmp_path / "acts", text_key="body")[0] == 0
    found = Found(tmp_path / "acts")
    assert sorted(set(found.documents.tolist())) == [0, 3]
    tokens = Naive(tiny).tokenizer.convert_ids_to_tokens(found.tokens.tolist())
    assert tokens == ["[CLS]", "two", "lines", "[SEP]", "[CLS]", "cafe", "[SEP]"]


def test_the_dataset_takes_them(call: Call, text: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "acts"
    _, said, _ = call(model=tiny, layer=2, text=text, out=out)
    assert f"data: {{name: array, root: {out}, file: acts-*.safetensors, groups: documents.npy, exclude: {{mask" in said
    spec = ArraySpec(
        root=str(out),
        file="acts-*.safetensors",
        groups="documents.npy",
        exclude=ExcludeSpec(mask="special.npy"),
        batch_size=1,
        validation_size=1,
        test_size=1,
    )
    found, splits = Found(out), spec.load().splits
    rows = torch.cat(list(splits)).numpy()
    assert not found.special[rows].any()
    assert len(rows) == (~found.special).sum()
    documents = [set(found.documents[split.numpy()]) for split in splits]
    assert len(set.union(*documents)) == sum(map(len, documents))


def test_a_text_that_looks_special_is_text(call: Call, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("one [SEP] two\n")
    assert call(model=tiny, layer=0, text=tmp_path / "text.txt", out=tmp_path / "acts")[0] == 0
    assert Found(tmp_path / "acts").special.tolist() == [True, False, False, False, True]
    assert np.load(tmp_path / "acts/special.npy").dtype == np.bool_
