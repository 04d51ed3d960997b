"""What a process on another machine needs to stream as this one does."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from spadam.tracking import client, environment

_OF_THIS_MACHINE: Final = {
    *("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_IDENTITY_TOKEN_FILE"),
    *(environment.BASE_URL, "WANDB_API_KEY", "WANDB_ENTITY"),
}


@dataclass(frozen=True)
class Credentials:
    """The server, and who asks it: a secret. It is handed from process to process, and shows nothing of itself."""

    variables: Mapping[str, str] = field(repr=False)

    def take(self) -> None:
        """Have this process, and the client's that it starts, be known by them."""
        os.environ.update(self.variables)


def credentials() -> Credentials | None:
    """Those of this process; None where it has no key that could be handed on: a token is this machine's."""
    access = client.access()
    kind, _, coded = access.headers.get("Authorization", "").partition(" ")
    if kind != "Basic":
        return None
    key = base64.b64decode(coded).decode().partition(":")[2]
    told = {name: value for name, value in environment.candidates().items() if name not in _OF_THIS_MACHINE}
    entity = {"WANDB_ENTITY": access.entity} if access.entity else {}
    return Credentials({**told, **entity, environment.BASE_URL: access.address, "WANDB_API_KEY": key})
