"""The commands of API keys: `gemel keys ...`."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of keys.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; it stands in logs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

commands = typer.Typer(
    help="Make, name and remove the keys of a service.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Role(StrEnum):
    """What a key may do."""

    read = "read"
    admin = "admin"


def register(app: typer.Typer) -> None:
    """Add all commands of keys to `app`."""
    app.add_typer(commands, name="keys")


@commands.command()
def add(
    file: File,
    name: Name,
    role: Annotated[
        Role, typer.Option(help="read asks; admin enrols, removes and renames too.")
    ] = Role.read,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: the file, made where there is none, has its hash."""
    from gemel.serving.keys import Keys

    key = Keys.open(file, create=True).add(name, role.value)
    if as_json:
        typer.echo(json.dumps({"name": name, "role": role.value, "key": key}))
        return
    typer.echo(key)
    typer.echo(f"the key of {name} ({role.value}); keep it, it is not shown again", err=True)


@commands.command("list")
def list_(file: File, as_json: AsJson = False) -> None:
    """Name the keys, with their roles and when they were made."""
    from gemel.serving.keys import Keys

    known = Keys.open(file).list()
    lines = [f"{key.name}  {key.role}  {key.made}" for key in known]
    facts = {"keys": [asdict(key) for key in known]}
    typer.echo(json.dumps(facts) if as_json else "\n".join(lines) or "no keys")


@commands.command()
def remove(file: File, name: Name, as_json: AsJson = False) -> None:
    """Remove a key; a running service refuses it from the next request on."""
    from gemel.serving.keys import Keys

    Keys.open(file).remove(name)
    typer.echo(json.dumps({"removed": name}) if as_json else f"removed the key of {name}")
