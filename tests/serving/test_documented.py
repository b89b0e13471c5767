"""What the service says of itself: in OpenAPI, and on its page of the documentation."""

import json
import re
from pathlib import Path

from service import documented

HERE = Path(__file__).parent
SNAPSHOT = HERE / "openapi.json"
PAGE = HERE.parents[1] / "docs" / "serving.md"
HIDDEN = {("GET", "/"), ("GET", "/openapi.json")}


def test_the_documentation_is_the_one_that_was_looked_at() -> None:
    """A change of what clients see is a change of a file.

    To renew it: PYTHONPATH=src python tests/serving/service.py > tests/serving/openapi.json
    """
    known = json.loads(SNAPSHOT.read_text())
    assert documented() == known, (
        "the OpenAPI document changed; if clients may see that, look at the difference of "
        "`PYTHONPATH=src python tests/serving/service.py > tests/serving/openapi.json`"
    )


def test_the_page_names_all_routes() -> None:
    paths = json.loads(SNAPSHOT.read_text())["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    rows = re.findall(r"^\| *`?(GET|POST) (/[^ ?`|]*)", PAGE.read_text(), re.M)
    assert {*rows} - HIDDEN == routes
    assert len(rows) == len({*rows})
