"""A desk with a server beside it."""

from support.wandb_fixtures import desk, server  # noqa: F401
