"""What SAELens makes of exported autoencoders, as a program: importing it takes ten seconds, and warns.

For each folder below the one given, which has `saelens/` and `samples.safetensors`, `theirs.safetensors` is written.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

if __name__ == "__main__":
    from sae_lens import SAE

    for folder in sorted(Path(sys.argv[1]).iterdir()):
        sae = SAE.load_from_disk(folder / "saelens")
        assert sae.cfg.metadata.trained_by, folder  # as 6.0 reads it; what it takes for older has none
        x_BD = load_file(folder / "samples.safetensors")["x"]
        with torch.no_grad():
            theirs = {"code": sae.encode(x_BD), "reconstruction": sae(x_BD)}
        save_file(theirs, folder / "theirs.safetensors", {"architecture": sae.cfg.architecture()})
