"""The commands of the published systems: `gemel systems`, `gemel reproduce NAME`."""

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(systems)
    app.command()(reproduce)


def systems(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the published systems that can be rebuilt: what each shows, needs, and takes."""
    from dataclasses import asdict

    from gemel.systems import SYSTEMS

    if as_json:
        typer.echo(json.dumps({name: asdict(system) for name, system in SYSTEMS.items()}))
        return
    for name, system in SYSTEMS.items():
        quick, full = system.minutes
        typer.echo(f"{name}  {system.paper}")
        typer.echo(f"    shows: {system.shows}")
        typer.echo(
            f"    needs: {' and '.join(system.data)}; about {full:g} minutes on two cores, "
            f"{quick:g} with --quick"
        )
        if system.paper_size:
            typer.echo(f"    --paper-size: {system.paper_size}")


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See `gemel systems`.")],
    data: Annotated[
        Path, typer.Option(help="The folder that holds the data sets, or the data set's own.")
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="A small form, to see that it works.")
    ] = False,
    paper_size: Annotated[
        bool, typer.Option("--paper-size", help="The paper's own sizes, for a GPU: koch2015.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of every random draw.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The folder for models and pictures [default: NAME].")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run into the same folder stopped.")
    ] = False,
) -> None:
    """Rebuild a published system: train, measure, draw, and print its table."""
    from gemel import systems as library
    from gemel.systems.reproduction import Request

    place = Path(name) if out is None else out
    request = Request(
        data,
        place,
        quick=quick,
        paper_size=paper_size,
        seed=seed,
        resume=resume,
        say=typer.echo,
        progress=True,
    )
    try:
        table = library.reproduce(name, request)
    except KeyboardInterrupt:
        typer.echo("the same command with --resume goes on from here", err=True)
        raise
    typer.echo(str(table))
    typer.echo(f"{place}/ holds the models, the pictures and this table")
    if request.ready:
        typer.echo(
            f"with a threshold, for compare, enrol and serve: {', '.join(map(str, request.ready))}"
        )
