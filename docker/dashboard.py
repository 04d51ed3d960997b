"""`spadam dashboard` in a container, whose own 127.0.0.1 nobody outside reaches: it listens on every interface there.

Which of them the host publishes is said by compose.yaml: its loopback interface, and no other. What a page of another
site has a browser ask is refused as before, by the name that the browser asks for.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time

from optuna.storages import BaseStorage

from spadam.spec import InputError
from spadam.sweep.store.dashboard import open_storage, serve

PORT = 8080

WAIT_SECONDS = 5.0


def main() -> None:
    """Answer until SIGTERM, once the storage of SPADAM_STORAGE holds a sweep."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        storage = _wait_for_storage(stack)
        server = stack.enter_context(serve(storage, 0))
        server.socket.close()
        server.socket = socket.create_server(("", PORT))
        server.serve_forever()


def _wait_for_storage(stack: contextlib.ExitStack) -> BaseStorage:
    """Open it as soon as it holds something: the services are up before the first sweep begins."""
    said = ""
    while True:
        try:
            return stack.enter_context(open_storage(None, None))
        except InputError as error:
            if str(error) != said:
                said = str(error)
                sys.stderr.write(f"waiting: {said}\n")
            time.sleep(WAIT_SECONDS)


if __name__ == "__main__":
    main()
