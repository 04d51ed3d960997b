"""One training, from its configuration to its result.

``run`` is the whole of it; ``module`` the LightningModule, ``telemetry`` the callback that measures, ``limits`` the one
that ends; ``checkpoint`` and ``ledger`` are what a run writes while it goes on, ``result`` what it gives. Importing
this package imports neither torch nor Lightning.
"""
