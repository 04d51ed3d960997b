"""How a configuration describes an optimizer of ours: one file each, which imports no torch."""
