"""A desk, and a server beside it."""

from support.wandb_fixtures import desk, server  # noqa: F401
