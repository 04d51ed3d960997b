"""A sweep's views at Weights & Biases: the workspace in which its runs are looked at, and the report that tells of it.

Here alone wandb-workspaces is known. A view is made without a network; only :mod:`spadam.tracking.views.publishing`
asks a server.
"""
