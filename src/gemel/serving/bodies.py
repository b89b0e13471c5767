"""What a request may hold, as JSON or as a form, checked field by field."""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gemel.gallery.records import LONGEST_NAME, LONGEST_NOTE
from gemel.serving.faults import FaultError, refused

SECONDS = 30.0
"""How long a body may take to arrive."""
MOST_NUMBERS = 100_000
MOST_POINTS = 20_000
"""Points of a pen recording: more than a minute and a half of a tablet that gives 200 a second."""
MOST_VALUES = 2 * MOST_NUMBERS + 5000
"""Values of a body in JSON, by its commas: two items, and what a note may hold."""
MOST_CANDIDATES = 100
MOST_FIELDS = 8
"""Fields of an object, and objects of a body: no body needs more."""
MOST_OF_FIELD = 2**21
"""Bytes of a form's field that is text, such as strokes."""
MOST_TOLD = 5
"""How many of the things that are wrong are told."""


def _bytes(value: Any) -> Any:
    """The bytes that a text in base64 stands for; bytes of a form are what they are."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("expected base64, without line ends") from error


File = Annotated[
    bytes,
    BeforeValidator(_bytes),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "minLength": 4}),
]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Number = Annotated[float, Field(allow_inf_nan=False)]
PenPoint = Annotated[list[Number], Field(min_length=3, max_length=4, fail_fast=True)]
"""x, y, the time in milliseconds and, where the pen has it, the pressure."""
Stroke = Annotated[list[PenPoint], Field(max_length=MOST_POINTS, fail_fast=True)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _one_of(*names: str) -> ConfigDict:
    """That one of these fields must be there, in the documentation."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in names]})


class Item(_Body):
    """One thing to enrol or to ask about.

    Attributes:
        image: a picture's file, in base64.
        numbers: a row of numbers.
        strokes: a pen recording: strokes of points [x, y, t] or [x, y, t, pressure], y downward,
            t in milliseconds from any origin.
        file: a file, in base64, of what the model takes: a picture, or a pen recording in any
            format that `gemel.data.read_pen` reads.
    """

    model_config = _one_of("image", "numbers", "strokes", "file")
    image: File | None = None
    numbers: (
        Annotated[list[Number], Field(min_length=1, max_length=MOST_NUMBERS, fail_fast=True)] | None
    ) = None
    strokes: Annotated[list[Stroke], Field(min_length=1, fail_fast=True)] | None = None
    file: File | None = None

    @property
    def form(self) -> str:
        """The name of the field that is given."""
        (given,) = (name for name in Item.model_fields if getattr(self, name) is not None)
        return given

    @model_validator(mode="after")
    def _one_of_all(self) -> "Item":
        names = list(Item.model_fields)
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise ValueError(f"expected one of {', '.join(f'`{name}`' for name in names)}")
        if self.strokes is not None:
            points = sum(map(len, self.strokes))
            if not 2 <= points <= MOST_POINTS:
                raise ValueError(
                    f"expected 2 to {MOST_POINTS:,} points; the strokes have {points:,}"
                )
        return self


class Identify(_Body):
    """Who or what an item is."""

    item: Item
    top: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] = 5


class Verify(_Body):
    """Whether an item is who it is said to be."""

    identity: Name
    item: Item


class Compare(_Body):
    """Whether two items are the same."""

    left: Item
    right: Item


class Embed(_Body):
    """What the model makes of an item."""

    item: Item


class Enrol(_Body):
    """A reference of an identity."""

    identity: Name
    item: Item
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] | None = None


class Remove(_Body):
    """What is to go: an identity with all its references, or one reference."""

    model_config = _one_of("identity", "reference")
    identity: Name | None = None
    reference: Annotated[int, Field(ge=1, lt=2**63)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Remove":
        if (self.identity is None) == (self.reference is None):
            raise ValueError("expected `identity` or `reference`, one of the two")
        return self


class Rename(_Body):
    """Another name for an identity."""

    old: Name
    new: Name


Body = TypeVar("Body", bound=BaseModel)
ITEMS: dict[type[BaseModel], tuple[str, ...]] = {
    Identify: ("item",),
    Verify: ("item",),
    Compare: ("left", "right"),
    Embed: ("item",),
    Enrol: ("item",),
}
"""The fields of a form that hold items: files, lists of numbers, or strokes."""


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The checked body of a request.

    Raises:
        FaultError: it is of another type, is not what was expected, or takes too long.
    """
    given, _, more = request.headers.get("content-type", "").lower().partition(";")
    given = given.strip()
    if given == "multipart/form-data" and "charset" in more:  # some take minutes to decode
        raise refused(415, "wrong_type", "a form is in UTF-8; leave the charset out")
    try:
        async with asyncio.timeout(SECONDS):
            if given == "application/json":
                fields: Any = _parsed(await request.body())
            elif given == "multipart/form-data" and kind in ITEMS:
                fields = await _form(request, kind)
            else:
                forms = " or multipart/form-data" if kind in ITEMS else ""
                raise refused(415, "wrong_type", f"expected application/json{forms}")
    except TimeoutError as error:
        message = f"the body did not arrive within {SECONDS:.0f} seconds"
        raise refused(408, "too_slow", message) from error
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        told = in_words(error.errors(include_input=False, include_url=False))
        raise refused(422, "bad_request", told) from error


def _parsed(body: bytes) -> Any:
    """What a JSON text says; nobody may read a field that is there twice in another way.

    Raises:
        FaultError: it is no JSON, or no object has so many fields.
    """
    left = MOST_FIELDS

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= 1
        found = dict(pairs)
        if left < 0 or len(pairs) > MOST_FIELDS or len(found) < len(pairs):
            raise ValueError("too many objects or fields, or a field twice")
        return found

    if body.count(b",") > MOST_VALUES:
        raise refused(413, "too_large", f"a body in JSON may have {MOST_VALUES:,} values")
    try:
        return json.loads(body, object_pairs_hook=checked)
    except (ValueError, RecursionError) as error:
        message = "the body is no JSON, or it has a field twice, or more than any body here"
        raise refused(400, "bad_request", message) from error


async def _form(request: Request, kind: type[BaseModel]) -> dict[str, Any]:
    """The fields of a form, each once."""
    items = ITEMS[kind]
    try:
        async with request.form(
            max_files=len(items), max_fields=MOST_FIELDS, max_part_size=MOST_OF_FIELD
        ) as form:
            names = [name for name, _ in form.multi_items()]
            if len(set(names)) != len(names):
                raise refused(422, "bad_request", "a field of the form is there twice")
            if unknown := [_field(name) for name in names if name not in kind.model_fields]:
                known = ", ".join(kind.model_fields)
                raise refused(422, "bad_request", f"expected the fields {known}; got {unknown[0]}")
            return {
                name: await _item(name, value) if name in items else _text(name, value)
                for name, value in form.multi_items()
            }
    except (HTTPException, UnicodeError) as error:
        raise refused(400, "bad_request", "the form cannot be read") from error


async def _item(name: str, value: UploadFile | str) -> Mapping[str, Any]:
    if isinstance(value, UploadFile):
        return {"file": await value.read()}
    try:
        found = _parsed(value.encode())
    except FaultError as error:
        message = (
            f"{name}: expected a file (curl -F {name}=@FILE), a JSON list of numbers, or one of "
            "strokes"
        )
        raise refused(400, "bad_request", message) from error
    of_strokes = isinstance(found, list) and bool(found) and isinstance(found[0], list)
    return {"strokes" if of_strokes else "numbers": found}


def _text(name: str, value: UploadFile | str) -> str:
    if isinstance(value, UploadFile):
        raise refused(422, "bad_request", f"{name}: expected text, got a file")
    return value


def in_words(errors: Sequence[Any]) -> str:
    """What is wrong and where; never what was sent, but for the names of fields."""
    told = [_one_in_words(error) for error in errors[:MOST_TOLD]]
    return "; ".join(told) + ("; ..." if len(errors) > MOST_TOLD else "")


def _one_in_words(error: Any) -> str:
    where = ".".join(map(_field, error["loc"][:4]))
    said = error["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _field(name: int | str) -> str:
    """A name as it is shown; of what could be no field here, nothing."""
    shown = str(name)
    return shown if isinstance(name, int) or re.fullmatch("[A-Za-z_]{1,30}", shown) else "(a field)"
