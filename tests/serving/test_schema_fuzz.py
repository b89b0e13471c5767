"""Requests made up from the service's own documentation: it does what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from service import Service, picture, running

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

schema = schemathesis.openapi.from_path(str(Path(__file__).parent / "openapi.json"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("documented"), rate=1_000_000) as one:
        assert one.enrol("ada", picture(1)).status == 201
        yield one


@schema.parametrize()
@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_the_documented_ones(case: Any, service: Service) -> None:
    # no schema can say what is a picture, or a name that can be seen
    excluded = [positive_data_acceptance]
    case.call_and_validate(base_url=f"http://127.0.0.1:{service.port}", excluded_checks=excluded)
