"""A small set in the PhotoTour format, written here, is read as it was written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel import data
from gemel.errors import BadItemsError, DataError

COUNT = 300  # more than one bitmap holds


@pytest.fixture
def small_set(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Its folder, its patches, and their points."""
    generator = np.random.default_rng(0)
    patches = generator.integers(0, 256, (COUNT, 64, 64)).astype(np.uint8)
    points = np.sort(generator.integers(0, 90, COUNT))
    folder = tmp_path / "liberty"
    folder.mkdir()
    for number in range(2):
        sheet = np.zeros((1024, 1024), np.uint8)
        for place, patch in enumerate(patches[256 * number : 256 * (number + 1)]):
            row, column = divmod(place, 16)
            sheet[64 * row : 64 * row + 64, 64 * column : 64 * column + 64] = patch
        Image.fromarray(sheet).save(folder / f"patches{number:04}.bmp")
    (folder / "info.txt").write_text("".join(f"{point} 0\n" for point in points))
    return folder, patches, points


def test_all_patches(small_set: tuple[Path, np.ndarray, np.ndarray]) -> None:
    folder, patches, points = small_set
    items = data.brown(folder)
    np.testing.assert_array_equal(items.values, patches)
    assert items.labels.tolist() == [str(point) for point in points]
    assert items.name == "liberty"
    assert items.origin(257) == "liberty patch 257"


def test_the_pairs_of_a_match_file(small_set: tuple[Path, np.ndarray, np.ndarray]) -> None:
    folder, patches, points = small_set
    pairs = np.random.default_rng(1).integers(0, COUNT, (40, 2))
    pairs[:10, 1] = pairs[:10, 0]
    lines = [f"{a} {points[a]} 0 {b} {points[b]} 0 0\n" for a, b in pairs]
    (folder / "m50_20_20_0.txt").write_text("".join(lines))
    found = data.brown_pairs(folder / "m50_20_20_0.txt")
    assert found.name == "liberty/m50_20_20_0"
    assert len(found.values) == len(np.unique(pairs))  # no patch that no pair needs
    for row, (a, b) in enumerate(pairs):
        np.testing.assert_array_equal(found.values[found.left[row]], patches[a])
        np.testing.assert_array_equal(found.values[found.right[row]], patches[b])
        assert found.same[row] == (points[a] == points[b])
        assert found.origin(int(found.left[row])) == f"liberty patch {a}"


def test_what_is_wrong_is_named(small_set: tuple[Path, np.ndarray, np.ndarray]) -> None:
    folder, _, points = small_set
    matches = folder / "bad.txt"
    good = f"0 {points[0]} 0 1 {points[1]} 0"
    matches.write_text(f"{good}\n0 {points[0]} 0 900 1 0\n0 {points[0] + 1} 0 1 {points[1]} 0\n")
    with pytest.raises(BadItemsError) as caught:
        data.brown_pairs(matches)
    first, second = caught.value.problems
    assert str(first) == "bad.txt line 2: patch 900, but info.txt lists 300"
    assert str(second).startswith("bad.txt line 3: patch 0 is said to show point")
    matches.write_text(f"{good}\n0 1 2\none two three four five six\n")
    with pytest.raises(BadItemsError, match=r"line 2: expected 6 whole numbers, got '0 1 2'"):
        data.brown_pairs(matches)
    matches.write_text("")
    with pytest.raises(DataError, match="is empty"):
        data.brown_pairs(matches)


def test_files_that_are_missing_or_of_another_size(
    small_set: tuple[Path, np.ndarray, np.ndarray],
) -> None:
    folder = small_set[0]
    Image.new("L", (1024, 512)).save(folder / "patches0001.bmp")
    with pytest.raises(DataError, match=r"patches0001\.bmp: expected 1024 x 1024 pixels, got 1024"):
        data.brown(folder)
    (folder / "patches0001.bmp").unlink()
    with pytest.raises(DataError, match=r"patches0001\.bmp"):
        data.brown(folder)
    (folder / "info.txt").unlink()
    with pytest.raises(DataError, match=r"info\.txt, got no file"):
        data.brown(folder)
