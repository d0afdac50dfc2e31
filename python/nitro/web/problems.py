"""What went wrong, as a client is told."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from ..errors import (
    BackendError,
    BackendUnavailable,
    ConstraintViolation,
    EntityNotFound,
    KeyReused,
    NitroError,
    PermissionDenied,
    ReferencedError,
    StaleEntityError,
    UniqueViolation,
    UnknownFieldError,
    UnstorableValue,
    UnsupportedQuery,
    WriteConflict,
)


class Problem(Exception):
    """A request that is answered with an error.

    Attributes:
        status: The HTTP status, from 400 on.
        detail: What the client is told: a text, or a list such as pydantic gives.
        headers: Sent with it.
    """

    def __init__(self, status: int, detail: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(status, detail)
        self.status, self.detail, self.headers = status, detail, headers

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}"

    @property
    def body(self) -> bytes:
        """The JSON of it."""
        return json.dumps({"detail": self.detail}, ensure_ascii=False, separators=(",", ":")).encode()


#: Errors, and the status of each; the first that fits counts. What is in none of these is the program's own, and a
#: server error.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (EntityNotFound, 404),
    (StaleEntityError, 409),
    (UniqueViolation, 409),
    (ReferencedError, 409),
    (ConstraintViolation, 409),
    (WriteConflict, 409),
    (KeyReused, 422),
    (UnstorableValue, 422),
    (PermissionDenied, 403),
    (UnknownFieldError, 400),
    (UnsupportedQuery, 400),
    (BackendUnavailable, 503),
    (BackendError, 503),
)

#: The errors that clients are told of, in whichever handler they are raised.
TOLD: tuple[type[Exception], ...] = (Problem, ValidationError, *(kind for kind, _ in STATUSES))

#: What says more of the server than a client is to know.
_HIDDEN = {503: "the store cannot be reached, or cannot do this now: try again later"}


def problem_of(error: BaseException, place: str = "body") -> Problem | None:
    """What a client is told of an error; None where it is the program's own.

    Args:
        error: What was raised.
        place: Where the input of a ValidationError came from, as "body" or "query".
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return Problem(422, details(error, place))
    if isinstance(error, NitroError):
        for kind, status in STATUSES:
            if isinstance(error, kind):
                headers = (("retry-after", "1"),) if status == 503 else ()
                return Problem(status, _HIDDEN.get(status, str(error)), headers)
    return None


def details(error: ValidationError, place: str) -> list[dict[str, Any]]:
    """What pydantic says is wrong, without the values: one may be a secret, and is known to the client anyway."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [{"type": line["type"], "loc": [place, *line["loc"]], "msg": line["msg"]} for line in found]
