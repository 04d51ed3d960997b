"""Activations of a transformer over a text: what a sparse autoencoder is trained on, written as `data: array` reads it.

A *document* is a line, or a record, of the text. A *window* is what the model sees at once: a document, or a part of
one that is too long. A *shard* is a file of activations, a row a token, in the order of the text.
"""
