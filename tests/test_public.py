"""The public surface: what is exported is there."""

import importlib

import pytest

import gemel


def test_all_names_load() -> None:
    assert len(set(gemel.__all__)) == len(gemel.__all__)
    for name in gemel.__all__:
        assert getattr(gemel, name) is not None
    assert set(gemel.__all__) <= set(dir(gemel))


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = gemel.nonsense


@pytest.mark.parametrize("room", ["inputs", "encoders", "evaluation", "training", "reports"])
def test_rooms_export_what_they_say(room: str) -> None:
    module = importlib.import_module(f"gemel.{room}")
    for name in module.__all__:
        assert hasattr(module, name)
