"""What makes an answer mislead, measured before and after it is mended: the tables of docs/validity.md.

    python benchmarks/validity.py [--only scale,outliers] [--root FOLDER] [--activations FOLDER] [--quick]

A section a matter, each a file in benchmarks/measured/ with a `SECTION`, and its name below. "Before" is a
configuration as it would have been written without the keys in question, "after" with them: both are trained here, with
the same seed. `--root` holds the files of Fashion-MNIST. To the tokens of `--activations`, a folder that `spadam
activations` wrote, centring and outliers add what they ask about; without it to synthetic ones. `--quick` trains a
tenth of the steps, to see that everything runs: its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from measured import centring, outliers, scale, splits
from measured.section import Section, Setting, as_markdown

SECTIONS: tuple[Section, ...] = (centring.SECTION, scale.SECTION, outliers.SECTION, splits.SECTION)
"""In the order in which they are told."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [section.name for section in SECTIONS]
    parser.add_argument("--only", default=",".join(names), help=f"some of {', '.join(names)}, with commas")
    fashion = os.environ.get("SPADAM_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
    parser.add_argument("--root", type=Path, default=Path(fashion), help="the files of Fashion-MNIST")
    parser.add_argument("--activations", type=Path, help="tokens of a transformer")
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",")
    if unknown := [name for name in chosen if name not in names]:
        parser.error(f"--only {unknown[0]}: choose from {', '.join(names)}")
    for section in SECTIONS:
        if section.name in chosen:
            print(as_markdown(section, Setting(options.root, options.quick, options.activations)), flush=True)


if __name__ == "__main__":
    main()
