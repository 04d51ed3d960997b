"""`spadam activations`: what a transformer makes of a text, as samples for a sparse autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from spadam.cli.options import at_home, error_console, out_console


def activations(
    model: Annotated[
        str, typer.Option(metavar="DIR|NAME", help="A model's folder, or a name of the Hugging Face hub.")
    ],
    layer: Annotated[
        int,
        typer.Option(
            metavar="N", help="hidden_states[N]: 0 is the embeddings, N the output of block N, counted from 1."
        ),
    ],
    text: Annotated[
        Path,
        typer.Option(metavar="FILE", help="A .txt, a line a document, or a .jsonl, a record each.", callback=at_home),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the files.", callback=at_home)],
    text_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Key of the text in a .jsonl's records; default: text.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Longer documents are split into windows of so many, special tokens included; default: 512, or what "
            "the model takes if that is less.",
        ),
    ] = None,
    dtype: Annotated[
        Literal["float16", "bfloat16", "float32"],
        typer.Option(
            metavar="TYPE", help="How values are stored: float16, bfloat16, float32; they are computed in float32."
        ),
    ] = "float16",
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Windows that are computed together.")] = 32,
    shard_mb: Annotated[float, typer.Option(metavar="MB", help="The most that a shard takes.")] = 256,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Default: one a core.")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: a GPU if there is one.")] = "auto",
    revision: Annotated[
        str | None, typer.Option(metavar="REV", help="Commit, branch or tag of a model of the hub.")
    ] = None,
) -> None:
    """Write what layer N of a transformer makes of a text: a row a token, for `data: {name: array}`.

    DIR gets acts-00000.safetensors, …, documents.npy (the document of each token, for `groups`), special.npy (true
    where the tokenizer has put a token around the text, for `exclude: {mask}`), tokens.npy and activations.json.

    The same command again goes on where it was interrupted, and does nothing when all is there.
    """
    from spadam.activations.installed import check_installed

    check_installed()
    from spadam.terminal.activations import ExtractionProgress, show_extracted

    with ExtractionProgress(error_console) as progress:
        from spadam.activations.extraction import Wanted, extract

        wanted = Wanted(
            model,
            layer,
            text,
            revision=revision,
            text_key=text_key,
            max_tokens=max_tokens,
            dtype=dtype,
            batch_size=batch_size,
            shard_mb=shard_mb,
            threads=threads,
            device=device,
        )
        extracted = extract(wanted, out, progress.update)
    show_extracted(extracted, out, out_console)
