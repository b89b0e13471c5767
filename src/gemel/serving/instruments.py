"""What Prometheus reads: how much is asked, how long it takes, what is answered."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32)


class Instruments:
    """The counters of one service; no name of an identity or a client is among their labels."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "gemel_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "gemel_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.batches = Histogram(
            "gemel_batch_items",
            "Items that went through the network together.",
            buckets=SIZES,
            registry=self._registry,
        )
        self.verdicts = Counter(
            "gemel_verdicts", "Answers by verdict.", ["verb", "verdict"], registry=self._registry
        )
        self.waiting = Gauge(
            "gemel_requests_in_hand",
            "Requests that are read, wait or are answered.",
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
