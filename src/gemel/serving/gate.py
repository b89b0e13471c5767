"""Who may come in: keys, rates, and no foreign pages; before anything of a request is read."""

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from gemel.errors import SettingsError
from gemel.serving.faults import refused
from gemel.serving.keys import Keys, Role
from gemel.serving.rates import Rates, client_of
from gemel.serving.settings import Settings

log = logging.getLogger("gemel.serving")
OPEN = ("/health", "/ready", "/openapi.json")
"""Routes that need no key, beside the page."""
LOCAL = {"localhost", "127.0.0.1", "::1"}
WRONG_KEYS = 10
"""Wrong keys a minute, of one address."""


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        key: the name of the key; None without keys, and on open routes.
        role: what the visitor may do.
    """

    key: str | None
    role: Role


class Gate:
    """Lets visitors in, or says why not.

    - Keys, where the service has any: `Authorization: Bearer KEY`.
    - Rates: of a key, or else of an address; and of wrong keys.
    - Pages of other sites may not ask in the name of whoever looks at them: a browser says where
      a request comes from (Sec-Fetch-Site, Origin). Without keys the name that the service is
      asked by must be this machine's, so that no other name can be made to point here. Only to the
      page itself may links lead.

    Raises:
        SettingsError: the keys cannot be read, or there are none in the file.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = None if settings.keys is None else Keys.open(settings.keys)
        if self._keys is not None and not self._keys.list():
            raise SettingsError(
                f"{settings.keys} holds no key, so nobody could ask; make one: "
                f"gemel keys add {settings.keys} NAME --role admin"
            )
        self._rates = Rates(settings.rate, max(1, round(2 * settings.rate)))
        self._wrong = Rates(WRONG_KEYS, WRONG_KEYS)

    def admit(self, path: str, headers: Headers, address: str) -> Visitor:
        """Who it is that asks for `path`.

        Raises:
            FaultError: they may not.
        """
        self._check_origin(path, headers)
        client = client_of(address)
        if path in OPEN or path == "/" or path.startswith("/page/"):
            visitor = Visitor(None, "read")
        elif self._keys is None:
            visitor = Visitor(None, "admin")
        else:
            visitor = self._key_of(headers.get("authorization"), client)
            client = f"key {visitor.key}"
        seconds = self._rates.wait(client)
        if seconds:
            raise refused(429, "too_many", "too many requests; wait", retry_after=seconds)
        return visitor

    def _key_of(self, header: str | None, client: str) -> Visitor:
        assert self._keys is not None
        scheme, _, presented = (header or "").partition(" ")
        if scheme.lower() != "bearer":
            raise refused(401, "no_key", "expected a key: `Authorization: Bearer KEY`")
        try:
            self._keys.reload_if_changed()
        except SettingsError as error:
            log.warning("the keys cannot be used: %s", error)
            raise refused(503, "not_ready", "the keys cannot be read now") from error
        known = self._keys.role_of(presented.strip())
        if known is not None:
            return Visitor(known.name, known.role)
        seconds = self._wrong.wait(client)
        if seconds:
            raise refused(429, "too_many", "too many wrong keys; wait", retry_after=seconds)
        raise refused(401, "wrong_key", "this key is not known here, or was removed")

    def _check_origin(self, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._keys is None and _name_of(host) not in LOCAL:
            raise refused(
                403, "not_allowed", "without keys the service answers to localhost and 127.0.0.1"
            )
        origin = headers.get("origin")
        foreign = headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site")
        if path == "/":  # which holds nothing of anybody: a link may lead there from anywhere
            return
        if foreign or (origin is not None and origin.partition("://")[2] != host):
            raise refused(403, "not_allowed", "pages of other sites may not ask here")


def _name_of(host: str) -> str | None:
    """The name in a `Host` header, without the port; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # such as a bracket that is not closed
        return None
