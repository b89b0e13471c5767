"""The routes of the service: the verbs of a gallery, each translated and nothing else."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gemel.errors import GalleryError, NotEnrolledError
from gemel.gallery import Gallery
from gemel.gallery.coding import Coder
from gemel.inputs import Images, Input, Pens, input_of
from gemel.serving import answers, bodies
from gemel.serving.audit import CHANGES, Audit, Entry, Verb
from gemel.serving.desk import MOST_OF_PEN, Desk
from gemel.serving.faults import refused
from gemel.serving.gate import Visitor
from gemel.serving.instruments import Instruments
from gemel.serving.settings import Settings
from gemel.version import __version__

FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Failure, "description": text}
    for status, text in {
        400: "The body cannot be read.",
        401: "No key, or one that is not known.",
        403: "The key may not do this.",
        404: "Not enrolled.",
        408: "The body did not arrive in time.",
        409: "Not possible as things are.",
        413: "Too large.",
        415: "Of a type that is not taken.",
        422: "Not what was expected.",
        429: "Too many requests.",
        503: "Not now; Retry-After says when.",
    }.items()
}


BODIES: tuple[type[BaseModel], ...] = (*bodies.ITEMS, bodies.Item, bodies.Remove, bodies.Rename)


class Routes:
    """What the service answers.

    Args:
        desk: where questions wait.
        instruments: what is counted.
        audit: who asked what, where it is kept.
        settings: the limits that are told.
    """

    def __init__(
        self, desk: Desk, instruments: Instruments, audit: Audit | None, settings: Settings
    ) -> None:
        self._desk = desk
        self._instruments = instruments
        self._audit = audit
        self._settings = settings

    def router(self) -> APIRouter:
        """All routes."""
        router = APIRouter(responses=FAILURES)
        router.get("/health", tags=["service"])(self.health)
        router.get("/ready", tags=["service"])(self.ready)
        router.get("/metrics", tags=["service"], response_class=Response)(self.metrics)
        router.get("/v1/about", tags=["ask"])(self.about)
        asks: dict[str, Any] = {"tags": ["ask"]}
        changes: dict[str, Any] = {"tags": ["change"], "dependencies": [Depends(only_admin)]}
        there = {200: {"model": answers.EnrolledOne, "description": "It was there already."}}
        made: dict[str, Any] = changes | {"status_code": 201, "responses": there}
        for verb, body, facts in (
            (self.identify, bodies.Identify, asks),
            (self.verify, bodies.Verify, asks),
            (self.compare, bodies.Compare, asks),
            (self.embed, bodies.Embed, asks),
            (self.enrol, bodies.Enrol, made),
            (self.remove, bodies.Remove, changes),
            (self.rename, bodies.Rename, changes),
        ):
            path = f"/v1/{verb.__name__}"
            router.post(path, openapi_extra=documented(body), **facts)(verb)
        router.get("/v1/identities", tags=["look"])(self.identities)
        picture: dict[int | str, Any] = {200: {"content": {"image/png": {}}}}
        router.get(
            "/v1/references/{id}/thumbnail",
            tags=["look"],
            response_class=Response,
            responses=picture,
        )(self.thumbnail)
        router.get("/v1/map", tags=["look"])(self.map)
        return router

    async def health(self) -> answers.Status:
        """The process is alive."""
        return answers.Status(status="ok")

    async def ready(self) -> answers.Status:
        """Model and gallery are there and fit; otherwise 503."""
        async with self._desk.place():
            await self._desk.do(lambda gallery: gallery.stats())
        return answers.Status(status="ready")

    async def metrics(self) -> Response:
        """What Prometheus reads."""
        return Response(self._instruments.text(), media_type=self._instruments.content_type)

    async def about(self, request: Request) -> answers.About:
        """What is served, what the asker may do, and what the model's distances mean."""
        async with self._desk.place():
            return await self._desk.do(lambda gallery: self._about(gallery, _visitor(request)))

    async def identify(self, request: Request) -> answers.Identified:
        """Who or what is this, if anybody we know?"""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Identify)

            def answer(gallery: Gallery, query: Any) -> answers.Identified:
                found = gallery.identify(query, body.top)
                return answers.Identified.of(found, gallery.model.threshold)

            said = await self._desk.ask(body.item, answer)
        references = tuple(one.reference for one in said.candidates[:1] if said.identity)
        await self._answered(request, "identify", said.identity, references, said.verdict)
        return said

    async def verify(self, request: Request) -> answers.Verified:
        """Is this who it is said to be?"""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Verify)
            said = await self._desk.ask(
                body.item,
                lambda gallery, query: answers.Verified.of_claim(
                    gallery.verify(body.identity, query)
                ),
            )
        await self._answered(request, "verify", said.identity, (said.reference,), said.verdict)
        return said

    async def compare(self, request: Request) -> answers.Compared:
        """Are these two the same?"""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Compare)
            said = answers.Compared.of(await self._desk.compare(body.left, body.right))
        await self._answered(request, "compare", verdict=said.verdict)
        return said

    async def embed(self, request: Request) -> answers.Embedded:
        """What the model makes of an item that is asked about: an embedding, or a binary code."""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Embed)
            model = self._desk.model
            if model.is_joint:
                raise refused(422, "bad_request", "a joint comparer has no embeddings")
            vector = await self._desk.ask(body.item, lambda _, query: query.embedding.numpy())
        await self._answered(request, "embed")
        if model.makes_codes:
            (code,) = Coder("bits", model.dim).encode(vector)
            return answers.Embedded(dim=model.dim, numbers=None, code=code.hex())
        return answers.Embedded(dim=model.dim, numbers=vector[0].tolist(), code=None)

    async def enrol(self, request: Request) -> Response:
        """Enrol an item under a name. When the answer is there, it survives a crash."""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Enrol)
            await self._settle()
            reference, new = await self._desk.enrol(body.identity, body.item, body.note)
        await self._answered(request, "enrol", body.identity, (reference,))
        said = answers.EnrolledOne(identity=body.identity, reference=reference, new=new)
        return JSONResponse(said.model_dump(), 201 if new else 200)

    async def remove(self, request: Request) -> answers.Gone:
        """Remove an identity with all its references, or one reference; says what went."""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Remove)
            await self._settle()
            which: Any = body.reference if body.identity is None else body.identity
            said = answers.Gone.of(await self._desk.do(lambda gallery: gallery.remove(which)))
        await self._answered(request, "remove", said.identity, tuple(said.references))
        return said

    async def rename(self, request: Request) -> answers.Renamed:
        """Give an identity another name."""
        async with self._desk.place():
            body = await bodies.read_body(request, bodies.Rename)
            await self._settle()
            await self._desk.do(lambda gallery: gallery.rename(body.old, body.new))
        await self._answered(request, "rename", body.old, new_name=body.new)
        return answers.Renamed(old=body.old, new=body.new)

    async def identities(
        self,
        request: Request,
        search: Annotated[str | None, Query(max_length=200)] = None,
        after: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> answers.Identities:
        """Who is enrolled, by name, a page at a time."""

        def answer(gallery: Gallery) -> answers.Identities:
            entries = gallery.list(search, after=after, most=limit + 1)
            shown = [answers.IdentityFacts.of(one) for one in entries[:limit]]
            more = shown[-1].identity if len(entries) > limit else None
            total = gallery.stats().identities
            return answers.Identities(identities=shown, next=more, total=total)

        async with self._desk.place():
            said = await self._desk.do(answer)
        await self._answered(request, "list")
        return said

    async def thumbnail(self, request: Request, id: int) -> Response:
        """A small picture of a reference, where the gallery keeps originals."""
        if not 0 < id < 2**63:
            raise NotEnrolledError(f"there is no reference {id}")
        async with self._desk.place():
            picture = await self._desk.do(lambda gallery: gallery.thumbnail(id))
        if picture is None:
            raise refused(404, "unknown", f"there is no picture of a reference {id}")
        await self._answered(request, "thumbnail", references=(id,))
        return Response(picture, media_type="image/png")

    async def map(
        self, request: Request, limit: Annotated[int, Query(ge=1, le=5000)] = 1000
    ) -> answers.Map:
        """Enrolled embeddings in the plane."""
        async with self._desk.place():
            found = await self._desk.do(lambda gallery: gallery.plane(limit))
        await self._answered(request, "map")
        points = [answers.Point(**vars(one)) for one in found.points]
        return answers.Map(points=points, of=found.of, method="PCA", explained=found.explained)

    def _about(self, gallery: Gallery, visitor: Visitor) -> answers.About:
        model, stats = gallery.model, gallery.stats()
        given, known = input_of(model.input, "left"), model.calibration
        return answers.About(
            version=__version__,
            role=visitor.role,
            model=answers.ModelFacts(
                fingerprint=stats.fingerprint,
                kind=given.kind,
                form=model.form.name,
                dim=stats.dim,
                coding="bits" if model.makes_codes else "float32",
                threshold=model.threshold,
                input=_sizes(given),
            ),
            gallery=answers.GalleryFacts(
                identities=stats.identities,
                references=stats.references,
                keeps_originals=stats.keeps_originals,
                search=stats.search,
            ),
            limits=answers.Limits(
                body_bytes=self._settings.max_body,
                pixels=self._settings.max_pixels,
                points=bodies.MOST_POINTS,
                pen_bytes=min(MOST_OF_PEN, self._settings.max_body),
            ),
            calibration=None if known is None else answers.CalibrationFacts.of(known),
        )

    async def _settle(self) -> None:
        """Let nothing be changed while the audit log cannot be written."""
        if self._audit is not None:
            with _recorded("nothing was done"):
                await asyncio.to_thread(self._audit.settle)

    async def _answered(
        self,
        request: Request,
        verb: Verb,
        identity: str | None = None,
        references: tuple[int, ...] = (),
        verdict: str | None = None,
        new_name: str | None = None,
    ) -> None:
        """Count a verdict, and write the audit's line before the answer goes out."""
        if verb in ("identify", "verify", "compare"):
            self._instruments.verdicts.labels(verb, verdict or "none").inc()
        if self._audit is None:
            return
        entry = Entry(
            request.state.request_id,
            verb,
            key=_visitor(request).key,
            identity=identity,
            new_name=new_name,
            references=references,
            verdict=verdict,
        )
        with _recorded("it was done" if verb in CHANGES else "so there is no answer"):
            await asyncio.to_thread(self._audit.write, entry)


def _sizes(given: Input) -> dict[str, int]:
    """What an item of an input is made of, in numbers."""
    shape = given.shape
    if isinstance(given, Images):
        return {"width": shape[-1], "height": shape[-2], "channels": shape[0]}
    return {"points": shape[-1]} if isinstance(given, Pens) else {"count": shape[0]}


@contextmanager
def _recorded(otherwise: str) -> Iterator[None]:
    """Answer 503 where the audit log cannot be written, and say what was done of what was asked."""
    try:
        yield
    except GalleryError as error:
        message = f"the audit log cannot be written now; {otherwise}"
        raise refused(503, "storage", message, retry_after=5) from error


def only_admin(request: Request) -> None:
    """Let only keys of the role "admin" change the gallery.

    Raises:
        FaultError: the key may only read.
    """
    if _visitor(request).role != "admin":
        raise refused(403, "not_allowed", "this key may ask, but not change the gallery")


def _visitor(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


def documented(kind: type[BaseModel]) -> dict[str, Any]:
    """The request body of a route in OpenAPI: JSON, and a form where it holds items."""
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}
    }
    if kind in bodies.ITEMS:
        content["multipart/form-data"] = {"schema": _form_schema(kind)}
    return {"requestBody": {"required": True, "content": content}}


def _form_schema(kind: type[BaseModel]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    fields = {
        name: (
            {
                "description": "A file of what the model takes; or, as text, a JSON list of "
                "numbers, or of strokes.",
                "type": "string",
                "contentMediaType": "application/octet-stream",
            }
            if name in bodies.ITEMS[kind]
            else {key: value for key, value in facts.items() if key != "$ref"}
        )
        for name, facts in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": fields,
        "required": schema["required"],
        "additionalProperties": False,
    }
