"""Whether runs can be streamed: asked once, by a short question, before any run is opened.

An `online` run that has to wait for a server which is not there costs its training that wait, and an `offline` run
begun after it in the same process fails. So the mode is settled before the first run.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import ssl
import threading
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from spadam.tracking import client

if TYPE_CHECKING:
    import requests

_QUESTION: dict[str, Any] = {"query": "query Viewer { viewer { id } }", "variables": {}, "operationName": "Viewer"}
_NO_KEY = "answers, but no API key is known for it (`wandb login` stores one, WANDB_API_KEY gives one)"
_ODD = "answers, but not as a W&B server does"
_PIECE, _MOST_PIECES = 1 << 12, 16
"""Bytes. An answer to the question is much shorter than all pieces."""


class Reach(NamedTuple):
    """What came of asking the server."""

    address: str
    """Where runs are streamed to."""
    reachable: bool
    """Whether a W&B server answered there."""
    key: bool
    """Whether a key for it is known. The key itself is in no record."""
    reason: str
    """Why runs cannot be streamed, as the rest of a sentence that begins with the address; empty when they can."""


def reach(timeout: float = 3.0) -> Reach:
    """Ask the server that the client would stream to, for at most ``timeout`` seconds; never raises.

    The address is ``WANDB_BASE_URL``, or what `wandb login` stored, or https://api.wandb.ai. Proxies are those that the
    client would use. No run is opened, and no process of the client started.
    """
    try:
        access = client.access()
    except Exception as error:
        address = os.environ.get("WANDB_BASE_URL", client.PUBLIC_ADDRESS)
        return Reach(address, False, False, f"cannot be asked ({_said(error)})")
    found = [(False, "does not answer (timed out)")]
    # A name server may take its time, and a server may answer a letter at a time: only a thread can be left behind.
    asking = threading.Thread(target=lambda: found.append(_ask(access, timeout)), daemon=True)
    asking.start()
    asking.join(timeout)
    reachable, reason = found[-1]
    if reachable and not access.key:
        reason = f"answers, but {access.trouble}" if access.trouble else _NO_KEY
    return Reach(access.address, reachable, access.key, reason)


def _ask(access: client.Access, timeout: float) -> tuple[bool, str]:
    """Whether a W&B server answers, and what keeps runs from it; a key that is known must please it."""
    import requests

    asked_with_key = "Authorization" in access.headers  # a file with a token is the client's to exchange
    try:
        with post(access, _QUESTION, timeout) as response:
            if response.status_code in (401, 403):
                return True, f"refuses the API key ({response.status_code})" if asked_with_key else ""
            if response.status_code != 200:
                return False, f"answers {response.status_code} {response.reason}".rstrip()
            answer = b"".join(islice(response.iter_content(_PIECE), _MOST_PIECES))
        viewer = json.loads(answer)["data"]["viewer"]
    except requests.RequestException as error:
        return False, f"does not answer ({_said(_first_cause(error))})"
    except (ValueError, LookupError, TypeError):
        return False, _ODD
    return True, "refuses the API key" if asked_with_key and not viewer else ""


def ask(access: client.Access, question: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The answer to a ``question`` of a server's query language: its `data`, and `errors`.

    Raises ConnectionError, with what was the matter, when there is none.
    """
    import requests

    try:
        with post(access, question, timeout) as response:
            if response.status_code != 200:
                raise ConnectionError(f"{access.address} answers {response.status_code} {response.reason}")
            answer = json.loads(response.content)
    except requests.RequestException as error:
        raise ConnectionError(f"{access.address} does not answer ({client.reason(error)})") from None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise odd_answer(access)
    return answer


def odd_answer(access: client.Access) -> ConnectionError:
    """What is raised of an answer that holds something else than was asked for."""
    return ConnectionError(f"{access.address} {_ODD}")


@contextlib.contextmanager
def post(access: client.Access, question: dict[str, Any], timeout: float) -> Iterator[requests.Response]:
    """The answer to a ``question``, with what the client would send along; its content is left to be read.

    Raises ``requests.RequestException``.
    """
    import requests

    with requests.Session() as session:
        session.trust_env = False  # of netrc and proxies we know what the client would take
        with session.post(
            access.address.rstrip("/") + "/graphql",
            json=question,
            headers=access.headers,
            timeout=timeout,
            allow_redirects=False,  # a key is not carried to another place
            proxies=_proxies(access),
            verify=_authorities(access),
            stream=True,
        ) as response:
            yield response


def _proxies(access: client.Access) -> dict[str, str]:
    """The proxy that the client would use, by the scheme of the address; it asks none for this machine."""
    from requests.utils import should_bypass_proxies

    url = urlsplit(access.address)
    if access.proxy is not None:
        return {url.scheme: access.proxy}
    proxy = getproxies_environment().get(url.scheme)
    if proxy is None or _is_here(url.hostname or "") or should_bypass_proxies(access.address, no_proxy=None):
        return {}
    return {url.scheme: proxy}


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authorities(access: client.Access) -> bool | str:
    """Whose certificates are taken: those of the system or of SSL_CERT_FILE, as the client does, else requests' own."""
    if not access.verified:
        warnings.filterwarnings("ignore", "Unverified HTTPS request")  # the client's settings want it so
        return False
    system = ssl.get_default_verify_paths()
    return system.cafile or system.capath or True


def _first_cause(error: BaseException) -> BaseException:
    """What the system said, below what each library made of it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _said(error: BaseException) -> str:
    """The error's own words, on one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(words).split())
