"""What a service is told when it starts."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from gemel.errors import SettingsError
from gemel.serving.logs import Form


@dataclass(frozen=True)
class Settings:
    """How a service behaves; the defaults are for one person on one machine.

    Attributes:
        host: the address to listen on. Beyond this machine only with `keys`.
        port: the port; 0 takes a free one.
        keys: a file of API keys (`gemel keys add`); None asks nobody for a key.
        certificate: a TLS certificate (PEM), with the chain.
        private_key: its private key (PEM).
        audit: a file for the audit log; None keeps none.
        log_format: "text" or "json"; default: text on a terminal, JSON elsewhere.
        max_body: bytes that a request may have.
        max_pixels: pixels that a picture may have.
        rate: requests a minute of one key, or of one address without keys; twice as many at once.
        queue: requests that are read, wait or are answered at one time; the next ones get 503.
        grace: seconds that requests may take to end once the service is told to stop.

    Raises:
        SettingsError: a number is not possible, one of two TLS files is missing, or the address
            is open to others and there are no keys.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    audit: Path | None = None
    log_format: Form | None = None
    max_body: int = 8 * 2**20
    max_pixels: int = 25_000_000
    rate: float | int = 6000
    queue: int = 64
    grace: int = 20

    def __post_init__(self) -> None:
        least = {"max_body": 1024, "max_pixels": 1, "rate": 1, "queue": 1, "grace": 1, "port": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise SettingsError(f"`{name}` must be {value} or more; got {getattr(self, name)}")
        if (self.certificate is None) != (self.private_key is None):
            raise SettingsError(
                "TLS needs both a certificate and its private key: --tls-cert FILE --tls-key FILE"
            )
        if not self.is_local and self.keys is None:
            raise SettingsError(
                f"{self.host} can be reached by others, so keys are needed: "
                "`gemel keys add keys.json NAME --role admin`, then --keys keys.json; "
                "or listen on 127.0.0.1 only"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def url_at(self, port: int) -> str:
        """Where the page is, once the port is known."""
        scheme = "http" if self.certificate is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{port}/"
