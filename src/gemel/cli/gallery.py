"""The commands of galleries: enrol, identify, verify, remove, and `gemel gallery ...`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import DIFFERENT, SAME, TOO_CLOSE
from gemel.errors import GalleryError, SettingsError

if TYPE_CHECKING:
    from gemel.gallery import Enrolled, Gallery

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file that gemel wrote.")]
Place = Annotated[
    str,
    typer.Argument(metavar="GALLERY", help="The gallery's file, or a URL: postgresql://..."),
]
Identity = Annotated[str, typer.Argument(metavar="IDENTITY", help="Who it is.")]
Item = Annotated[
    str, typer.Argument(metavar="ITEM", help="A picture, a pen recording, or numbers.")
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The exported file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
OneByOne = Annotated[
    bool,
    typer.Option("--one-by-one", help="Let a joint comparer look at each original, up to 1,000."),
]

commands = typer.Typer(
    help="See, move and check a gallery.", no_args_is_help=True, rich_markup_mode=None
)


class Originals(StrEnum):
    """What becomes of the items themselves."""

    keep = "keep"
    forget = "forget"


def register(app: typer.Typer) -> None:
    """Add all commands of galleries to `app`."""
    for command in (enrol, identify, verify, remove):
        app.command()(command)
    app.add_typer(commands, name="gallery")


def enrol(
    model: Model,
    gallery: Place,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="IDENTITY ITEM... | FOLDER | CSV",
            help="An identity and its items (images, or rows of numbers); or, for many, a folder "
            "with a folder of images per identity, or a CSV (path,label).",
        ),
    ],
    note: Annotated[str | None, typer.Option(help="Anything to know of these items.")] = None,
    originals: Annotated[
        Originals | None,
        typer.Option(
            help="When the gallery is made: keep the items in it, with thumbnails, or only their "
            "embeddings [default: forget]."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Go on without bad items; say how many and which.")
    ] = False,
    one_by_one: OneByOne = False,
    as_json: AsJson = False,
) -> None:
    """Enrol items in a gallery, which is made where there is none. Nothing is enrolled twice."""
    keep = None if originals is None else originals is Originals.keep
    with _open_or_make(model, gallery, keep, one_by_one=one_by_one) as opened:
        if len(what) == 1:
            if note is not None:
                raise SettingsError("--note is for the items of one identity")
            found = _enrol_many(opened, Path(what[0]), skip_bad=skip_bad)
            facts: dict[str, Any] = asdict(found)
            text = "\n".join([str(found), *(f"  {problem}" for problem in found.skipped)])
        else:
            items = [_item(opened, item, "right") for item in what[1:]]
            ids = [opened.enrol(what[0], item, note=note) for item in items]
            facts = {"identity": what[0], "references": ids}
            text = f"{what[0]}: reference {', '.join(map(str, ids))}"
    _say(facts, text, as_json)


def identify(
    model: Model,
    gallery: Place,
    item: Item,
    top: Annotated[int, typer.Option(help="How many candidates to name.", min=1)] = 5,
    one_by_one: OneByOne = False,
    as_json: AsJson = False,
) -> None:
    """Say who an item is, among all who are enrolled, and why.

    Exit status 0: somebody, 1: nobody we know, 2: an error, 3: too close to call.
    """
    with _open(model, gallery, one_by_one=one_by_one) as opened:
        found = opened.identify(_item(opened, item, "left"), top)
    _say(asdict(found), str(found), as_json)
    raise typer.Exit({"found": SAME, "nobody": DIFFERENT}.get(found.verdict, TOO_CLOSE))


def verify(
    model: Model,
    gallery: Place,
    identity: Identity,
    item: Item,
    one_by_one: OneByOne = False,
    as_json: AsJson = False,
) -> None:
    """Say whether an item is who it is said to be, and why.

    Exit status 0: yes, 1: no, 2: an error, 3: too close to call.
    """
    with _open(model, gallery, one_by_one=one_by_one) as opened:
        found = opened.verify(identity, _item(opened, item, "left"))
    known = found.comparison
    facts = {"identity": found.identity, "reference": found.reference, **known.as_dict()}
    _say(facts, f"{found}\n{known.reason}", as_json)
    if known.verdict is None:
        raise SettingsError(
            "this model has no threshold, so it cannot say whether they are the same: calibrate "
            "it, gemel calibrate MODEL DATA"
        )
    raise typer.Exit({"same": SAME, "different": DIFFERENT}.get(known.verdict, TOO_CLOSE))


def remove(
    model: Model,
    gallery: Place,
    identity: Annotated[
        str | None, typer.Argument(metavar="[IDENTITY]", help="Whose references go.")
    ] = None,
    reference: Annotated[
        int | None, typer.Option(help="Or the number of the one reference that goes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove an identity with all its references, or one reference."""
    which = identity if reference is None else reference
    if which is None or (identity is not None and reference is not None):
        raise SettingsError("give an IDENTITY, or --reference and a number: one of the two")
    with _open(model, gallery) as opened:
        found = opened.remove(which)
    _say(asdict(found), str(found), as_json)


@commands.command("list")
def list_(
    model: Model,
    gallery: Place,
    search: Annotated[str | None, typer.Option(help="Only names that hold this.")] = None,
    after: Annotated[str | None, typer.Option(help="Only names behind this one.")] = None,
    most: Annotated[int | None, typer.Option(help="How many names at most.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Name who is enrolled, with the numbers of their references."""
    with _open(model, gallery) as opened:
        entries = opened.list(search, after=after, most=most)
    lines = []
    for entry in entries:
        lines.append(f"{entry.identity}: {_count(len(entry.references), 'reference')}")
        for one in entry.references:
            note = "" if one.note is None else f"  {one.note}"
            lines.append(f"  {one.id}  {one.enrolled}{note}")
    facts = {"identities": [asdict(entry) for entry in entries]}
    _say(facts, "\n".join(lines) or "nobody", as_json)


@commands.command()
def stats(model: Model, gallery: Place, as_json: AsJson = False) -> None:
    """Say how large a gallery is, and how it is searched."""
    with _open(model, gallery) as opened:
        found = opened.stats()
    _say(asdict(found), str(found), as_json)


@commands.command()
def rename(
    model: Model,
    gallery: Place,
    identity: Identity,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    as_json: AsJson = False,
) -> None:
    """Give an identity another name."""
    with _open(model, gallery) as opened:
        opened.rename(identity, new)
    _say({"old": identity, "new": new}, f"{identity} is now {new}", as_json)


@commands.command()
def export(
    model: Model,
    gallery: Place,
    file: File,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a gallery to a file that other programs can read."""
    with _open(model, gallery) as opened:
        count = opened.export(file, overwrite=overwrite)
    _say({"references": count}, f"wrote {_count(count, 'reference')} to {file}", as_json)


@commands.command("import")
def import_(
    model: Model,
    gallery: Place,
    file: File,
    originals: Annotated[
        Originals | None,
        typer.Option(help="When the gallery is made: keep or forget [default: forget]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Enrol all that `export` wrote, or, where something is wrong with it, nothing."""
    keep = None if originals is None else originals is Originals.keep
    with _open_or_make(model, gallery, keep) as opened:
        found = opened.import_(file)
    _say(asdict(found), str(found), as_json)


@commands.command()
def graph(model: Model, gallery: Place, as_json: AsJson = False) -> None:
    """Make the graph that searches of many references follow, in PostgreSQL; it takes minutes."""
    with _open(model, gallery) as opened:
        made = opened.make_graph()
        search = opened.stats().search
    _say({"graph": made, "search": search}, f"search: {search}", as_json)


@commands.command()
def check(model: Model, gallery: Place, as_json: AsJson = False) -> None:
    """Look whether a gallery is whole. Exit status 0: it is, 1: it is not, 2: an error."""
    with _open(model, gallery) as opened:
        problems = opened.check()
    _say({"problems": problems}, "\n".join(problems) or "the gallery is whole", as_json)
    raise typer.Exit(DIFFERENT if problems else SAME)


@commands.command()
def reembed(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The new model.")],
    gallery: Place,
    as_json: AsJson = False,
) -> None:
    """Make a gallery that keeps originals anew, for another model: all of it or nothing."""
    import gemel

    loaded = gemel.load(model)
    count = gemel.Gallery.reembed(gallery, loaded)
    text = f"{_count(count, 'reference')} embedded anew; the gallery belongs to {model} now"
    _say({"references": count, "fingerprint": loaded.fingerprint}, text, as_json)


def _open(
    model: Path,
    gallery: str,
    *,
    create: bool = False,
    keep_originals: bool | None = None,
    one_by_one: bool = True,
) -> "Gallery":
    """The gallery, with its model loaded; only what compares asks whether it may, one by one."""
    import gemel

    loaded = gemel.load(model)
    return gemel.Gallery.open(
        gallery,
        loaded,
        create=create,
        keep_originals=keep_originals,
        one_by_one=one_by_one,
    )


@contextmanager
def _open_or_make(
    model: Path, gallery: str, keep_originals: bool | None, *, one_by_one: bool = True
) -> Iterator["Gallery"]:
    """The gallery, made where there is none; and taken away again if nothing came into it."""
    path = None if "://" in gallery or Path(gallery).exists() else Path(gallery)
    useless = False
    try:
        with _open(
            model, gallery, create=True, keep_originals=keep_originals, one_by_one=one_by_one
        ) as opened:
            try:
                yield opened
            except BaseException:
                useless = not opened.stats().references
                raise
    finally:
        if useless and path is not None:
            path.unlink(missing_ok=True)


def _enrol_many(gallery: "Gallery", path: Path, *, skip_bad: bool) -> "Enrolled":
    if path.is_dir():
        return gallery.enrol_folder(path, skip_bad=skip_bad, progress=_progress)
    if path.suffix.lower() == ".csv":
        return gallery.enrol_csv(path, skip_bad=skip_bad, progress=_progress)
    raise GalleryError(
        f"expected an identity and its items, or a folder or CSV of many; got {path} alone"
    )


def _item(gallery: "Gallery", text: str, side: Any) -> Any:
    from gemel.cli.app import _item as item_of

    return item_of(gallery.model, text, side)


def _progress(done: int, whole: int) -> None:
    """Show how many items are done, on one line that is written over."""
    typer.echo(f"\r{done:,} of {whole:,} ", nl=done == whole, err=True)


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _say(facts: dict[str, Any], text: str, as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else text)
