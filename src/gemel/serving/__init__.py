"""A gallery over HTTP, and the page to use it with: `serve`.

It needs `pip install 'gemel[serve]'`.
"""

from importlib.util import find_spec

from gemel.errors import MissingExtraError

NEEDED = "fastapi", "h11", "prometheus_client", "python_multipart", "uvicorn"
if not all(map(find_spec, NEEDED)):
    raise MissingExtraError(
        "serving needs an extra that is not installed: pip install 'gemel[serve]'"
    )

from gemel.serving.server import serve  # noqa: E402
from gemel.serving.settings import Settings  # noqa: E402

__all__ = ["Settings", "serve"]
