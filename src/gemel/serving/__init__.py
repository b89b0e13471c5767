"""A gallery over HTTP, and the page to use it with: `serve`.

It needs `pip install 'gemel[serve]'`.
"""

from gemel.serving.server import serve
from gemel.serving.settings import Settings

__all__ = ["Settings", "serve"]
