"""What went wrong, as an answer: a status, a code for programs, a message for people.

What is said never names a path: of a fault of the place where things are kept only the log says
more.
"""

from dataclasses import dataclass

from gemel.errors import (
    BadItemsError,
    BadNameError,
    DataError,
    GemelError,
    NameTakenError,
    NotEnrolledError,
    OtherModelError,
    Problem,
    SettingsError,
)


@dataclass(frozen=True)
class Fault:
    """An answer that is no success.

    Attributes:
        status: of HTTP.
        code: for programs.
        message: for people: what was expected, what came, what to do.
        retry_after: seconds after which asking again makes sense.
    """

    status: int
    code: str
    message: str
    retry_after: float | int | None = None


class FaultError(Exception):
    """Ends a request with a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def refused(
    status: int, code: str, message: str, *, retry_after: float | int | None = None
) -> FaultError:
    """The error that ends a request so."""
    return FaultError(Fault(status, code, message, retry_after))


OTHER_MODEL = (
    "the gallery belongs to another model than the service has; bring the model it was made with, "
    "and the service takes it by itself"
)
STORAGE = "the gallery cannot be read or written now; the log says more under this request's id"
TABLE: tuple[tuple[type[Exception], int, str, str | None], ...] = (
    (DataError, 422, "bad_item", None),
    (BadNameError, 422, "bad_request", None),
    (NotEnrolledError, 404, "unknown", None),
    (NameTakenError, 409, "exists", None),
    (OtherModelError, 503, "not_ready", OTHER_MODEL),
    (SettingsError, 409, "not_possible", None),
    (GemelError, 503, "storage", STORAGE),
    (OSError, 503, "storage", STORAGE),
)
"""Kind of error, status, code, and what is said; None: the error's own message, without paths."""


def fault_of(error: Exception) -> Fault | None:
    """The answer to an error; None where it is a defect of the service."""
    if isinstance(error, FaultError):
        return error.fault
    if isinstance(error, BadItemsError):  # its message speaks to the command line
        return Fault(422, "bad_item", "; ".join(map(_in_words, error.problems)))
    for kind, status, code, message in TABLE:
        if isinstance(error, kind):
            after = 5 if status == 503 else None
            said = message or str(error)
            if kind is NotEnrolledError:  # what follows speaks to the command line
                said = said.partition(";")[0] + "; GET /v1/identities names who is enrolled"
            return Fault(status, code, said, after)
    return None


def _in_words(problem: Problem) -> str:
    return problem.what + (f" ({problem.remedy})" if problem.remedy else "")
