"""How a configuration describes a rule: one file each, which imports no torch."""
