"""`gemel match`: which places of two pictures show the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemel.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(match)


def match(
    left: Annotated[Path, typer.Argument(metavar="LEFT", help="A picture.")],
    right: Annotated[Path, typer.Argument(metavar="RIGHT", help="Another, of the same thing.")],
    model: Annotated[
        Path | None,
        typer.Option(help="A model of patches, such as zagoruyko2015's descriptor.gemel."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The PNG to draw.")] = Path("matches.png"),
    keypoints: Annotated[
        int, typer.Option(help="So many of each picture at most, the strongest.", min=1)
    ] = 2000,
    magnification: Annotated[
        float,
        typer.Option(
            help="Patches are so many sizes of their keypoints a side. zagoruyko2015's models need "
            "18; SIFT's own window has 6."
        ),
    ] = 18.0,
    ratio: Annotated[
        float | None,
        typer.Option(help="Keep matches nearer than this share of the second nearest, as 0.8."),
    ] = None,
    pixels: Annotated[
        float, typer.Option(help="An inlier lies as near to where the homography takes it.")
    ] = 3.0,
    homography: Annotated[
        Path | None,
        typer.Option(help="The true homography, nine numbers: prints the share of right matches."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of RANSAC's draws.", min=0)] = 0,
) -> None:
    """Match the keypoints of two pictures, and say how many fit one homography."""
    if out.suffix.lower() != ".png" or not out.absolute().parent.is_dir():
        raise SettingsError(f"--out {out}: name a .png file in a folder that is there")
    import gemel
    from gemel import matching
    from gemel.data.scenes import read_homography
    from gemel.evaluation import reprojection_errors
    from gemel.reports import pictures
    from gemel.reports.matches import draw_matches

    truth = None if homography is None else read_homography(homography)
    compare: matching.Compare = matching.root_sift
    name = "RootSIFT"
    if model is not None:
        compare, name = matching.by_model(gemel.load(model)), model.name
    first, second = (
        matching.view(path, most=keypoints, magnification=magnification) for path in (left, right)
    )
    found = matching.match(first, second, compare, ratio=ratio, pixels=pixels, seed=seed)
    typer.echo(f"descriptors: {name}" + " (no --model is given)" * (model is None))
    typer.echo(f"keypoints: {len(first):,} left, {len(second):,} right")
    counts = f"{len(found):,} matches, {int(found.inliers.sum()):,} inliers"
    told = (
        f"no homography: {found.why}"
        if found.homography is None
        else f"inliers (green) lie within {pixels:g} px of where the homography takes them"
    )
    typer.echo(f"{counts}; {told}")
    if truth is not None:
        _say_accuracy(reprojection_errors(found.left, found.right, truth))
    pictures.save(draw_matches(first, second, found, f"{name}: {counts}; {told}"), out)
    typer.echo(f"wrote {out}")


def _say_accuracy(errors: "Float[np.ndarray, '_']") -> None:
    """The share of right matches at each bound, with an interval over the matches."""
    from gemel.evaluation import figure, wilson
    from gemel.evaluation.matching_accuracy import PIXELS, right_shares

    if not len(errors):
        typer.echo("matching accuracy not given: there are no matches")
        return
    for bound, share in zip(PIXELS, right_shares([errors])[0], strict=True):
        found = figure(
            f"matching accuracy at {bound} px",
            float(share),
            wilson(float(share * len(errors)), len(errors)),
            count=len(errors),
            unit="matches",
            split="this pair",
            seed=0,
        )
        typer.echo(f"{found.name}: {found.short} of {found.count:,} matches")
