"""How often a client may ask: a token bucket a client, in bounded memory."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from gemel.errors import SettingsError

_LITTLE = 1e-6  # what the clock's rounding may take from a token
_SITE = 64


class Rates:
    """A token bucket for every client: at most `burst` at once, `per_minute` in the long run.

    At most `most_clients` are remembered; the one that was heard of longest ago is forgotten
    first. If its bucket was full again by then, nothing is lost. If not, somebody is
    asking under more names than there is room for, and to forget clients would give each of them
    a full bucket anew. So whoever comes while this lasts shares one more bucket with all who do,
    and begins with an empty one of their own: who is remembered is served as before, and asking
    under ever new names is worth no more than one name. Threads may share an object of this class.
    """

    def __init__(
        self,
        per_minute: float | int,
        burst: int,
        most_clients: int = 10_000,
        clock: Callable[[], float | int] = time.monotonic,
    ) -> None:
        """Begin with full buckets.

        Args:
            per_minute: how many requests a minute a bucket is refilled by.
            burst: how many a full bucket holds.
            most_clients: how many clients are remembered.
            clock: seconds. Where it falls, nothing is refilled until it rises again.

        Raises:
            SettingsError: a number is not possible.
        """
        if not (math.isfinite(per_minute) and per_minute > 0):
            raise SettingsError(f"a rate is a number of requests a minute; got {per_minute}")
        if burst < 1 or most_clients < 1:
            raise SettingsError(
                f"expected a burst and a number of clients of at least 1; got {burst} and "
                f"{most_clients}"
            )
        self.per_second = per_minute / 60
        self.burst = burst
        self.most_clients = most_clients
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()  # the last one asked last
        self._strangers = _Bucket(burst, clock())

    def wait(self, client: str) -> float:
        """Take a token of this client's: 0.0 if there was one, else the seconds until there is.

        What is refused takes nothing, so that who keeps asking waits no longer for it.
        """
        with self._lock:
            now = self._clock()
            bucket = self._buckets.get(client)
            if bucket is not None:
                self._buckets.move_to_end(client)
                return self._take(bucket, now)
            tokens = self.burst
            if len(self._buckets) >= self.most_clients:
                oldest = next(iter(self._buckets.values()))
                if self._refilled(oldest, now) < self.burst - _LITTLE:
                    if seconds := self._take(self._strangers, now):
                        return seconds
                    tokens = 1
                self._buckets.popitem(last=False)
            self._buckets[client] = bucket = _Bucket(tokens, now)
            return self._take(bucket, now)

    def __len__(self) -> int:
        return len(self._buckets)

    def _take(self, bucket: "_Bucket", now: float | int) -> float:
        tokens = self._refilled(bucket, now)
        allowed = tokens >= 1 - _LITTLE
        bucket.tokens = max(tokens - 1, 0.0) if allowed else tokens
        bucket.at = now
        return 0.0 if allowed else (1 - tokens) / self.per_second

    def _refilled(self, bucket: "_Bucket", now: float | int) -> float:
        return min(bucket.tokens + max(now - bucket.at, 0.0) * self.per_second, float(self.burst))


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float | int, at: float | int) -> None:
        self.tokens = float(tokens)
        self.at = at


def client_of(address: str) -> str:
    """Who is behind an address: of IPv6 the /64, since whoever has one address has all of it.

    What is no IP address, such as the name of a Unix socket, is its own client.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    bits = int(parsed) >> (128 - _SITE) << (128 - _SITE)
    return f"{ipaddress.IPv6Address(bits)}/{_SITE}"
