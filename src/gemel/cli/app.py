"""The commands. Each one reads its arguments, calls the library, and prints what it gave."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gemel.cli import DIFFERENT, SAME, TOO_CLOSE, gallery, keys, matching, serving, systems
from gemel.cli.sources import HELP as DATA_HELP
from gemel.errors import SettingsError

app = typer.Typer(
    name="gemel",
    help='Learn what "the same" means from examples, and recognise things never seen in training.',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # a plain page is there in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

gallery.register(app)
serving.register(app)
keys.register(app)
systems.register(app)
matching.register(app)

NEGATIVE = {"ignore_unknown_options": True}  # so that an item may be "-1,2"
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file that gemel wrote.")]
Seed = Annotated[int, typer.Option(help="Decides every random draw.", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Ways = Annotated[int | None, typer.Option(help="Classes an episode [default: 20].")]
Shots = Annotated[int, typer.Option(help="References a class.", min=1)]
Trials = Annotated[int, typer.Option(help="Episodes.", min=1)]
WithinGroups = Annotated[
    bool, typer.Option(help="Take an episode's classes from one group, where there are groups.")
]
Report = Annotated[Path | None, typer.Option(help="An HTML file for a report with pictures.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without bad items; say how many and which.")
]


class Encoder(StrEnum):
    """The encoders that have a name on the command line."""

    conv = "conv"
    residual = "residual"
    koch = "koch"
    l2net = "l2net"
    dense = "dense"


class Metric(StrEnum):
    """The metrics that have a name on the command line."""

    cosine = "cosine"
    euclidean = "euclidean"
    squared_euclidean = "squared-euclidean"
    manhattan = "manhattan"
    weighted_l1 = "weighted-l1"
    mahalanobis = "mahalanobis"
    learned = "learned"
    decision = "decision"
    hamming = "hamming"
    asymmetric_hamming = "asymmetric-hamming"


class Side(StrEnum):
    """The sides of a pair."""

    left = "left"
    right = "right"


class Comparer(StrEnum):
    """How the two sides of a pair meet."""

    twin = "twin"
    pseudo_twin = "pseudo-twin"
    joint = "joint"


class Loss(StrEnum):
    """The losses that have a name on the command line."""

    supervised_contrastive = "supervised-contrastive"
    triplet = "triplet"
    contrastive = "contrastive"
    cross_entropy = "cross-entropy"
    soft_triplet = "soft-triplet"
    multi_similarity = "multi-similarity"
    n_pair = "n-pair"
    energy = "energy"
    hinge = "hinge"
    cosine_target = "cosine-target"
    hamming = "hamming"
    arcface = "arcface"
    cosface = "cosface"


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from gemel import __version__

        typer.echo(f"gemel {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder for the model and the pictures.")] = Path(
        "gemel-demo"
    ),
    omniglot: Annotated[
        Path | None,
        typer.Option(help="A folder with Omniglot's zips; found by itself under GEMEL_DATA."),
    ] = None,
    minutes: Annotated[float, typer.Option(help="How long to train.", min=0.01)] = 1.5,
    seed: Seed = 0,
    page: Annotated[
        bool | None,
        typer.Option(
            "--page/--no-page",
            help="Open the page to draw on at the end, or not [default: ask, at a terminal].",
        ),
    ] = None,
) -> None:
    """Train on symbols drawn by code, then recognise symbols and handwriting never seen."""
    from gemel.demo import run

    def wanted() -> bool:
        if page is not None:
            return page
        return sys.stdin.isatty() and typer.confirm("Open it now?", default=True)

    run(out, omniglot=omniglot, minutes=minutes, seed=seed, say=typer.echo, page=wanted)


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The model file to write.")],
    minutes: Annotated[float | None, typer.Option(help="Train this long [default: 5].")] = None,
    steps: Annotated[int | None, typer.Option(help="Or this many steps.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Or this many passes over the data.")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels a side of the network's input.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour.")] = None,
    encoder: Annotated[Encoder | None, typer.Option(help="The network.")] = None,
    dim: Annotated[int | None, typer.Option(help="Numbers an embedding.")] = None,
    metric: Annotated[Metric | None, typer.Option(help="The distance of embeddings.")] = None,
    comparer: Annotated[
        Comparer,
        typer.Option(help="One encoder, two of their own weights, or one net for both items."),
    ] = Comparer.twin,
    loss: Annotated[Loss | None, typer.Option(help="What training lowers.")] = None,
    margin: Annotated[float | None, typer.Option(help="Of the losses that have one.")] = None,
    augment: Annotated[bool, typer.Option(help="Warp the images while training.")] = True,
    views: Annotated[int, typer.Option(help="Warped views averaged to one embedding.")] = 1,
    validation: Annotated[
        float,
        typer.Option(
            help="The share held out, of the classes if there are enough, else of their items.",
            min=0,
            max=0.9,
        ),
    ] = 0.1,
    by_item: Annotated[
        bool, typer.Option("--by-item", help="Hold out items of known classes, not whole classes.")
    ] = False,
    rate: Annotated[float, typer.Option(help="The peak rate of AdamW.")] = 2e-3,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    log: Annotated[Path | None, typer.Option(help="A file for one JSON line a record.")] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="A folder for TensorBoard.")] = None,
    skip_bad: SkipBad = False,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
    devices: Annotated[int, typer.Option(help="How many of them.", min=1)] = 1,
    precision: Annotated[str, typer.Option(help="32-true or bf16-mixed.")] = "32-true",
) -> None:
    """Train a model on your own data. What is not given is chosen from the data, and printed."""
    from gemel.cli import training

    training.run(
        training.Request(
            data=data,
            out=out,
            budget={"minutes": minutes, "steps": steps, "epochs": epochs},
            size=size,
            channels=channels,
            encoder=encoder,
            dim=dim,
            metric=metric,
            comparer=comparer.value,
            loss=loss,
            margin=margin,
            augment=augment,
            views=views,
            validation=validation,
            by_item=by_item,
            rate=rate,
            seed=seed,
            resume=resume,
            log=log,
            tensorboard=tensorboard,
            skip_bad=skip_bad,
            accelerator=accelerator,
            devices=devices,
            precision=precision,
        )
    )


@app.command()
def evaluate(
    model: Model,
    data: Data,
    ways: Ways = None,
    shots: Shots = 1,
    trials: Trials = 400,
    within_groups: WithinGroups = True,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
    report: Report = None,
    card: Annotated[
        Path | None, typer.Option(help="A Markdown file for a model card with the figures.")
    ] = None,
) -> None:
    """Measure a model on classes it has not seen: verification, episodes, retrieval."""
    import gemel
    from gemel.cli.sources import open_source

    _check_writable(report, card)
    loaded = gemel.load(model)
    items = open_source(data, use="test", skip_bad=skip_bad)
    settings: dict[str, Any] = {
        "ways": ways,
        "shots": shots,
        "trials": trials,
        "within_groups": within_groups,
        "seed": seed,
        "skip_bad": skip_bad,
    }
    found = gemel.evaluate(loaded, items, **settings)
    typer.echo(json.dumps(found.as_dict(), indent=2) if as_json else str(found))
    if report is None and card is None:
        return
    from gemel.reports import Asked, model_card, write_report

    asked = Asked(str(model), data, **settings)
    if report is not None:
        write_report(found, report, asked)
        typer.echo(f"wrote {report}", err=True)
    if card is not None:
        said = model_card(loaded, name=model.name, evaluation=found, asked=asked)
        card.write_text(said, encoding="utf-8")
        typer.echo(f"wrote {card}", err=True)


@app.command()
def compare_models(
    first: Annotated[Path, typer.Argument(metavar="A", help="A model file.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    data: Data,
    ways: Ways = None,
    shots: Shots = 1,
    trials: Trials = 400,
    within_groups: WithinGroups = True,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
    report: Report = None,
) -> None:
    """Say which of two models is better, both judged on the same pairs, episodes and probes."""
    import gemel
    from gemel.cli.sources import open_source

    _check_writable(report)
    models = gemel.load(first), gemel.load(second)
    items = open_source(data, use="test", skip_bad=skip_bad)
    settings: dict[str, Any] = {
        "ways": ways,
        "shots": shots,
        "trials": trials,
        "within_groups": within_groups,
        "seed": seed,
        "skip_bad": skip_bad,
    }
    found = gemel.compare_models(*models, items, names=(str(first), str(second)), **settings)
    typer.echo(json.dumps(found.as_dict(), indent=2) if as_json else str(found))
    if report is not None:
        from gemel.reports import Asked, write_compare_report

        write_compare_report(
            found, report, Asked(str(first), data, against=str(second), **settings)
        )
        typer.echo(f"wrote {report}", err=True)


@app.command()
def card(
    model: Model,
    out: Annotated[
        Path | None, typer.Option(help="The Markdown file to write; else it is printed.")
    ] = None,
) -> None:
    """Write a model card from what the model's file says; `evaluate --card` adds figures."""
    import gemel
    from gemel.reports.card import model_card

    _check_writable(out)
    said = model_card(gemel.load(model), name=model.name)
    if out is None:
        typer.echo(said, nl=False)
        return
    out.write_text(said, encoding="utf-8")
    typer.echo(f"wrote {out}", err=True)


@app.command()
def calibrate(
    model: Model,
    data: Data,
    false_accepts: Annotated[
        float, typer.Option(help="The share of different pairs that may pass for the same.")
    ] = 0.01,
    prior: Annotated[
        float | None,
        typer.Option(
            help="The share of same pairs where the model will be used [default: 0.5 for items, "
            "that among the pairs for a CSV of pairs]."
        ),
    ] = None,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Learn what a distance means from data kept for this, and save it in the model file.

    It gives the probability that a pair is the same, and the threshold for a chosen rate of false
    accepts. Take data that the model was not trained on, and evaluate on others still.
    """
    import gemel
    from gemel.cli.sources import open_source

    loaded = gemel.load(model)
    items = open_source(data, use="test", skip_bad=skip_bad)
    found = gemel.calibrate(
        loaded, items, false_accepts=false_accepts, prior=prior, seed=seed, skip_bad=skip_bad
    )
    loaded.save(model)
    typer.echo(json.dumps(found.as_dict(), indent=2) if as_json else f"{found}\nsaved in {model}")


@app.command(context_settings=NEGATIVE)
def compare(
    model: Model,
    left: Annotated[str, typer.Argument(metavar="A", help="One item: a file, or numbers.")],
    right: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    as_json: AsJson = False,
) -> None:
    """Say how alike two items are, and why.

    Exit status 0: the same, 1: different, 2: an error, 3: too close to call, which only a
    calibrated model says.
    """
    import gemel

    loaded = gemel.load(model)
    found = loaded.compare(_item(loaded, left, "left"), _item(loaded, right, "right"))
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
    else:
        typer.echo(f"{found}\n{found.reason}")
    if found.verdict is None:
        raise SettingsError(
            "this model has no threshold, so it cannot say whether they are the same: it was "
            "trained with nothing held out. Train with --validation 0.1, or calibrate it: "
            "gemel calibrate MODEL DATA"
        )
    statuses = {"same": SAME, "different": DIFFERENT, "too close to call": TOO_CLOSE}
    raise typer.Exit(statuses[found.verdict])


@app.command(context_settings=NEGATIVE)
def embed(
    model: Model,
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Files, or rows of numbers.")],
    out: Annotated[
        Path, typer.Option(help="The .npz file to write: `vectors` (or `codes`) and `names`.")
    ],
    side: Annotated[
        Side | None, typer.Option(help="Which encoder, where each side has its own.")
    ] = None,
) -> None:
    """Write the embeddings of items, or their binary codes, to a NumPy file."""
    import numpy as np

    import gemel

    loaded = gemel.load(model)
    which = "right" if side is Side.right else "left"
    values = [_item(loaded, text, which) for text in files]
    make, what, units = (
        (loaded.codes, "codes", "bits")
        if loaded.makes_codes
        else (loaded.embed, "vectors", "numbers")
    )
    rows: dict[str, Any] = {what: make(values, None if side is None else which).numpy()}
    with out.open("wb") as file:
        np.savez(
            file, names=np.array(files), fingerprint=loaded.fingerprint, dim=loaded.dim, **rows
        )
    typer.echo(f"wrote {len(files)} {what} of {loaded.dim} {units} to {out}")


@app.command()
def fetch(
    name: Annotated[
        str, typer.Argument(help="The data set: omniglot, mnist, orl_faces or cifar10.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="Where to put it [default: data/NAME].")
    ] = None,
) -> None:
    """Download a data set from its publisher, and check it. Nothing else uses the network."""
    from gemel.data import fetch as fetch_data

    where = folder if folder is not None else Path("data") / name
    done = fetch_data(name, where, progress=_progress)
    typer.echo(
        f"{name} is complete in {where}: {len(done.fetched)} files fetched, "
        f"{len(done.present)} were there already"
    )


def _progress(file: str, there: int, whole: int | None) -> None:
    """Show how much of a file has come, on one line that is written over."""
    share = f" of {whole / 1e6:.1f}" if whole else ""
    ends = whole is not None and there >= whole
    typer.echo(f"\r{file}: {there / 1e6:.1f}{share} MB ", nl=ends, err=True)


def _check_writable(*paths: Path | None) -> None:
    """Refuse, before the long work, a file that could not be written after it.

    Raises:
        SettingsError: one is a folder, or lies in none.
    """
    for path in paths:
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
            raise SettingsError(f"{path} {what}; name a file in a folder that is there")


def _item(model: Any, text: str, side: Any) -> Any:
    """One item of the kind that a side of the model takes, from a word on the command line.

    Raises:
        DataError: the model takes numbers and the word is no row of them.
    """
    from gemel.inputs import input_of

    if input_of(model.input, side).kind != "numbers":
        return text
    from gemel.data.numbers import parse_row

    return parse_row(text, where="the command line")
