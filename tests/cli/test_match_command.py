"""`gemel match`, as a user types it."""

import re
import sys
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gemel import Siamese, encoders, inputs, matching, metrics, patches
from gemel.cli import main
from gemel.cli.app import app
from gemel.cli.matching import match

cv2 = pytest.importorskip("cv2")
TURN = np.array([[0.96, -0.28, 60.0], [0.28, 0.96, -10.0], [1e-4, 5e-5, 1.0]])
runner = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, the same seen from elsewhere, the homography, a blank one, and a model."""
    root = tmp_path_factory.mktemp("match")
    noise = np.random.default_rng(0).standard_normal((300, 360)).astype(np.float32)
    smooth = sum(cv2.GaussianBlur(noise, (0, 0), s) * s for s in (1.5, 3, 6))
    grey = np.uint8(np.clip(128 + 110 * smooth / np.abs(smooth).max(), 0, 255))
    Image.fromarray(grey).save(root / "one.png")
    Image.fromarray(cv2.warpPerspective(grey, TURN, (330, 280))).save(root / "two.png")
    Image.fromarray(np.zeros((80, 80), np.uint8)).save(root / "blank.png")
    np.savetxt(root / "H1to2", TURN)
    twin = Siamese(inputs.Images(32), encoders.L2Net(2, stem_stride=2), metrics.Euclidean())
    twin.save(root / "twin.gemel")
    return root


def run(*words: object) -> str:
    result = runner.invoke(app, ["match", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> str:
    monkeypatch.setattr(sys, "argv", ["gemel", "match", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_it_counts_and_draws(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.png"
    words = (folder / "one.png", folder / "two.png", "--homography", folder / "H1to2")
    told = run(*words, "--keypoints", 400, "--out", out)
    assert told.startswith("descriptors: RootSIFT (no --model is given)\nkeypoints: ")
    matches, inliers = map(int, re.search(r"(\d+) matches, (\d+) inliers; inliers", told).groups())
    assert 50 < inliers <= matches <= 400
    shares = [float(one) for one in re.findall(r"accuracy at \d px: ([\d.]+) %", told)]
    assert len(shares) == 3
    assert shares == sorted(shares)
    assert shares[2] > 80
    # what RANSAC kept is what is right, but for a few at the border of 3 px
    assert shares[1] / 100 * matches == pytest.approx(inliers, rel=0.1)
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert pixels.shape[1] == 1440
    green = (pixels[:, :, 1] - pixels[:, :, 0] > 60).mean()
    assert green > 0.01  # inliers


def test_a_model_describes_the_patches(folder: Path, tmp_path: Path) -> None:
    words = (folder / "one.png", folder / "two.png", "--model", folder / "twin.gemel")
    told = run(*words, "--keypoints", 150, "--ratio", 0.9, "--out", tmp_path / "drawn.png")
    assert told.startswith("descriptors: twin.gemel\nkeypoints: 150 left, ")
    assert (tmp_path / "drawn.png").stat().st_size > 10_000


def test_the_defaults_are_those_of_the_library() -> None:
    asked = signature(match).parameters
    assert asked["keypoints"].default == matching.KEYPOINTS
    assert asked["magnification"].default == matching.MAGNIFICATION
    assert asked["pixels"].default == matching.PIXELS


@pytest.mark.parametrize("magnification", [6.0, 18.0])
def test_places_count_whose_patches_lie_inside(
    folder: Path, tmp_path: Path, magnification: float
) -> None:
    words = folder / "one.png", folder / "two.png", "--out", tmp_path / "drawn.png"
    told = run(*words, "--magnification", magnification)
    points = patches.keypoints(np.asarray(Image.open(folder / "one.png")))
    half = magnification * points.sizes / 2
    turned = np.radians(points.angles)
    reach = half * (np.abs(np.cos(turned)) + np.abs(np.sin(turned)))
    middle = points.places
    fits = (middle - reach[:, None] >= 0).all(axis=1)
    fits &= (middle + reach[:, None] <= [359, 299]).all(axis=1)
    assert told.splitlines()[1].startswith(f"keypoints: {min(fits.sum(), 2000):,} left")


def test_too_few_matches_are_drawn_and_explained(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.png"
    told = run(folder / "one.png", folder / "two.png", "--keypoints", 2, "--out", out)
    assert re.search(r"[0-2] matches, 0 inliers; no homography: [0-2] matches, and a ", told)
    assert out.exists()


def test_bad_pictures_and_names_are_refused(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = folder / "one.png", folder / "blank.png"
    out = tmp_path / "drawn.png"
    told = refused(monkeypatch, capsys, *pair, "--out", out)
    assert told.startswith(f"gemel: {folder / 'blank.png'}: no keypoints were found")
    assert not out.exists()
    told = refused(monkeypatch, capsys, *pair, "--out", tmp_path / "drawn.txt")
    assert "name a .png file in a folder that is there" in told
    told = refused(monkeypatch, capsys, *pair, "--out", tmp_path / "void" / "drawn.png")
    assert "name a .png file in a folder that is there" in told
    told = refused(monkeypatch, capsys, *pair, "--magnification", 0, "--out", out)
    assert "`magnification` must be" in told
    told = refused(monkeypatch, capsys, *pair, "--homography", folder / "void", "--out", out)
    assert "void" in told
    (tmp_path / "H").write_text("1 2 3")
    told = refused(monkeypatch, capsys, *pair, "--homography", tmp_path / "H", "--out", out)
    assert "expected nine numbers, a 3 x 3 matrix row by row, got 3 words" in told
