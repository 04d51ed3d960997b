"""Tokens of one document on both sides of a split: what does a probe know of documents that it has not seen?"""

from __future__ import annotations

from typing import Any

import numpy as np

from measured.section import Section, Setting, Table, configure, scratch, train

STEPS = 200
DOCUMENTS, TOKENS, TOPICS, FEATURES = 300, 40, 20, 64


def measure(setting: Setting) -> list[Table]:
    x, topics, documents = _tokens()
    folder = scratch()
    held_out = np.isin(documents, np.random.default_rng(1).permutation(DOCUMENTS)[: DOCUMENTS // 10])
    for name, array in (("x", x), ("topics", topics), ("documents", documents)):
        np.save(folder / f"{name}.npy", array)
        np.save(folder / f"{name}_train.npy", array[~held_out])
        np.save(folder / f"{name}_test.npy", array[held_out])
    data = {"name": "array", "root": str(folder), "batch_size": 128}
    drawn = {**data, "file": "x.npy", "labels": "topics.npy"}
    files = {"test_file": "x_test.npy", "labels": "topics_train.npy", "test_labels": "topics_test.npy"}
    own = {**data, "file": "x_train.npy", **files, "groups": "documents_train.npy"}
    cases: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("before", "drawn token by token", drawn),
        ("after", "groups: documents.npy", {**drawn, "groups": "documents.npy"}),
        ("after", "test_file: x_test.npy, groups", own),
    )
    found: list[list[str | float | None]] = []
    for when, which, keys in cases:
        config = configure(setting, STEPS, {"data": keys, "probe": {"refit": "always"}})
        loaded = config.data.load()
        labels = documents if which != cases[2][1] else np.concatenate([documents[~held_out], documents[held_out]])
        train_documents = np.unique(labels[loaded.train.numpy()])
        both = np.isin(labels[loaded.test.numpy()], train_documents).mean()
        of = train(config)[0].metrics
        row = [float(both), of["probe/baseline_pixels"], of["probe/test_accuracy"]]
        found.append([when, which, *row, len(loaded.test)])
    says = (
        f"Synthetic tokens, {DOCUMENTS} documents of {TOKENS}, each with a topic out of {TOPICS} (the label) and a "
        f"vector of its own that says nothing of others; {FEATURES} features, adam, 512 latents, k 16, {STEPS} steps."
    )
    seen = "test tokens of documents seen in training"
    headings = ["", "split", seen, "probe/baseline_pixels", "probe/test_accuracy", "test tokens"]
    return [Table(says, headings, found)]


def _tokens() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens (N, D), and the topic and document of each."""
    random = np.random.default_rng(0)
    documents = np.repeat(np.arange(DOCUMENTS), TOKENS)
    topic_of = random.integers(0, TOPICS, DOCUMENTS)
    topics_TD = 0.45 * random.normal(size=(TOPICS, FEATURES))
    own_MD = 0.6 * random.normal(size=(DOCUMENTS, FEATURES))
    x = topics_TD[topic_of[documents]] + own_MD[documents] + random.normal(size=(len(documents), FEATURES)) * 1.5
    return x.astype(np.float32), topic_of[documents], documents


SECTION = Section("splits", "Splits", measure)
