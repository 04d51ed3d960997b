"""Whether runs can be streamed: asked once, by a short question, before any run is opened.

An `online` run that has to wait for a server which is not there costs its training that wait, and an `offline` run
begun after it in the same process fails. So the mode is settled before the first run.
"""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import threading
import urllib.request
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit

from spadam.tracking import client
from spadam.tracking.spec import TrackingSpec

_QUESTION = {"query": "query Viewer { viewer { id } }", "variables": {}, "operationName": "Viewer"}
_NO_KEY = "answers, but no API key is known for it (`wandb login` stores one, WANDB_API_KEY gives one)"
_MOST_BYTES = 1 << 16
"""An answer to the question is much shorter."""


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


def settle(spec: TrackingSpec) -> tuple[TrackingSpec, str | None]:
    """``spec`` with the mode in which its runs will really be tracked, and a sentence when that is another.

    `online` becomes `offline` when :func:`reach` finds no server, or none that takes runs from us. For other modes
    nobody is asked.
    """
    if spec.mode != "online":
        return spec, None
    found = reach()
    if not found.reason:
        return spec, None
    later = f"`WANDB_BASE_URL={found.address} wandb sync` uploads them"
    said = f"W&B: {found.address} {found.reason}; runs are kept offline, {later}"
    return spec.model_copy(update={"mode": "offline"}), said


def _ask(access: client.Access, timeout: float) -> tuple[bool, str]:
    """Whether a W&B server answers, and what keeps runs from it; a key that is known must please it."""
    body = json.dumps(_QUESTION).encode()
    headers = access.headers | {"Content-Type": "application/json"}
    asked_with_key = "Authorization" in headers  # a file with a token is the client's to exchange
    request = urllib.request.Request(access.address.rstrip("/") + "/graphql", body, headers)
    try:
        with _opener(access).open(request, timeout=timeout) as response:
            viewer = json.loads(response.read(_MOST_BYTES))["data"]["viewer"]
    except HTTPError as error:
        if error.code in (401, 403):
            return True, f"refuses the API key ({error.code})" if asked_with_key else ""
        return False, f"answers {error.code} {error.reason}".rstrip()
    except (OSError, HTTPException) as error:
        return False, f"does not answer ({_said(error)})"
    except (ValueError, LookupError, TypeError):
        return False, "answers, but not as a W&B server does"
    return True, "refuses the API key" if asked_with_key and not viewer else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Answers with the redirection itself: a key is not carried to another place."""

    def redirect_request(self, *_: object) -> None:
        return None


def _opener(access: client.Access) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if not access.verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(_proxies(access)), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )


def _proxies(access: client.Access) -> dict[str, str]:
    """The proxies that the client would use; names in NO_PROXY are looked at by the opener.

    Unlike Python, the client asks no proxy for this machine, and takes networks in NO_PROXY.
    """
    url = urlsplit(access.address)
    if access.proxy is not None:
        return {url.scheme: access.proxy}
    proxies = urllib.request.getproxies_environment()
    if _is_direct(url.hostname or "", proxies.pop("no", "")):
        return {}
    return proxies


def _is_direct(host: str, no_proxy: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or any(_holds(network, address) for network in no_proxy.split(","))


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network.strip(), strict=False)
    except ValueError:  # it is a name
        return False


def _said(error: BaseException) -> str:
    """The error's own words, on one line."""
    cause = getattr(error, "reason", error)
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(words).split())
