"""The errors that Nitro raises.

::

    NitroError
    ├── BackendError            the store refuses a statement
    ├── BackendUnavailable      the store cannot be reached       (ConnectionError)
    │   └── CommitOutcomeUnknown    and whether it has written is not known
    ├── ConfigurationError      a class or a setting that cannot work
    │   └── SchemaMismatch      the tables are not what the classes say
    ├── ConstraintViolation     the database refuses what its schema forbids
    ├── EntityNotFound          no entity has this key            (LookupError)
    ├── KeyReused               an idempotency key was used for another call
    ├── NotLoaded               a relation, or a column, was not loaded
    ├── PermissionDenied        a message may not be sent         (PermissionError)
    ├── ReferencedError         others refer to what is deleted
    ├── StaleEntityError        the stored version has moved on
    ├── UniqueViolation         another entity has this value
    ├── UnitOfWorkError         a unit of work is not used as it can be
    ├── UnknownFieldError       no field has this name            (AttributeError)
    ├── UnstorableEvent         a durable event cannot be written (ValueError)
    ├── UnstorableValue         the store cannot hold this value  (ValueError)
    ├── UnsupportedQuery        the backend cannot do this
    └── WriteConflict           two transactions were in each other's way

``DurabilityWarning`` and ``UnsavedChangesWarning`` are warnings.

Data of the wrong type or outside its constraints is pydantic's ``ValidationError``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class NitroError(Exception):
    """The root of all errors that Nitro raises itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The errors below are made from what went wrong, not from their message, as Exception takes for granted.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(error_class: type[NitroError], arguments: tuple[Any, ...], state: dict[str, Any]) -> NitroError:
    error = error_class.__new__(error_class, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class BackendError(NitroError):
    """The store refuses a statement, for a reason that lies in neither the class nor the values. Nothing was written.

    The disk is full, a right is lacking, a trigger says no, SQL of your own has a mistake in it. It is refused again
    until what the message names has changed. The error of the driver is the cause (`__cause__`).

    Attributes:
        place: Where, such as the URL of a database, without a password.
        reason: The store's own words.
    """

    def __init__(self, place: str, reason: str, remedy: str = "") -> None:
        self.place = place
        self.reason = reason
        super().__init__(
            f"{place} refuses a statement ({reason}): nothing of it is kept, "
            f"{remedy or 'and it is refused again until that has changed'}"
        )


class BackendUnavailable(NitroError, ConnectionError):
    """The store cannot be reached, or does not answer in time. Nothing was written; it can be tried again."""


class CommitOutcomeUnknown(BackendUnavailable):
    """The store was lost while it was writing: what was written may be there or not.

    Look before you try again: load the entity and compare its version.
    """


class ConfigurationError(NitroError):
    """A class or a setting cannot work; the message says what to change."""


class SchemaMismatch(ConfigurationError):
    """A table or a column is not what a class says; the message names it and the command that mends it."""


class ConstraintViolation(NitroError):
    """The database refuses a write that its schema forbids: a foreign key to nothing, a CHECK that fails.

    Attributes:
        entity_class: The class of the entity.
    """

    def __init__(self, entity_class: type, key: object, reason: str) -> None:
        self.entity_class = entity_class
        super().__init__(f"{entity_class.__name__} {key!r} breaks a rule of the database: {reason}")


class EntityNotFound(NitroError, LookupError):
    """No entity of the class has the key.

    Attributes:
        entity_class: The class that was asked.
        key: The key as it was given.
        referrer: The field that refers to it, and whose, in words; None where it was asked for by its key.
    """

    def __init__(self, entity_class: type, key: object, *, referrer: str | None = None) -> None:
        self.entity_class = entity_class
        self.key = key
        self.referrer = referrer
        whose = "" if referrer is None else f", to which {referrer} refers"
        super().__init__(f"no {entity_class.__name__} has the key {key!r}{whose}")


class KeyReused(NitroError):
    """An idempotency key comes with other arguments than when it was used first. Nothing was done.

    Attributes:
        command: The command, as "Order.place".
        key: The key.
    """

    def __init__(self, command: str, key: str) -> None:
        self.command = command
        self.key = key
        super().__init__(
            f"{command} was called with idempotency_key={key!r} before, on another entity or with other arguments: "
            "make a new key for each thing that is to be done once"
        )


class PermissionDenied(NitroError, PermissionError):
    """Whoever sends a message to a bus may not.

    Attributes:
        message: The message.
    """

    def __init__(self, message: object) -> None:
        self.message = message
        super().__init__(f"{type(message).__name__} is not allowed")


class ReferencedError(NitroError):
    """An entity cannot be deleted while another one refers to it.

    Attributes:
        entity_class: The class of the entity that was to be deleted.
        key: Its key.
        referrer_class: The class of the entity that refers to it.
        field: The field that does.
        referrer: The key of that entity.
    """

    def __init__(self, entity_class: type, key: object, referrer_class: type, field: str, referrer: object) -> None:
        self.entity_class = entity_class
        self.key = key
        self.referrer_class = referrer_class
        self.field = field
        self.referrer = referrer
        super().__init__(
            f"{entity_class.__name__} {key!r} cannot be deleted: {referrer_class.__name__}.{field} of {referrer!r} "
            f'refers to it; delete that one first, or declare the field with ondelete="CASCADE" or "SET NULL"'
        )


class NotLoaded(NitroError):
    """An attribute of an entity is not loaded, and nothing can load it now; the message says how to load it before.

    Attributes:
        entity_class: The class of the entity.
        field: The name of the relation, or of the column.
    """

    def __init__(self, entity_class: type, field: str, why: str, remedy: str) -> None:
        self.entity_class = entity_class
        self.field = field
        super().__init__(f"{entity_class.__name__}.{field} is not loaded, and {why}: {remedy}")


#: The version of an entity that was loaded with values that were taken back: no record has it, and the next one fits
#: into every column.
NOT_KEPT = 2**31 - 2


class StaleEntityError(NitroError):
    """The record was saved by somebody else since this entity was loaded.

    Or it was loaded inside of a transaction that had changed it by a query or a session, and was taken back.

    Attributes:
        entity_class: The class of the entity.
        key: Its key.
        expected_version: The version that the entity was loaded as.
        stored_version: The version that the store has now; None when the record is gone.
    """

    def __init__(
        self,
        entity_class: type,
        key: object,
        *,
        expected_version: int,
        stored_version: int | None,
    ) -> None:
        self.entity_class = entity_class
        self.key = key
        self.expected_version = expected_version
        self.stored_version = stored_version
        now = "it was deleted" if stored_version is None else f"it is at {stored_version} now"
        loaded = (
            "was loaded with what a query or a session had changed, which was taken back,"
            if expected_version == NOT_KEPT
            else f"was loaded as version {expected_version}"
        )
        super().__init__(f"{entity_class.__name__} {key!r} {loaded} and {now}: load it again and repeat the change")


class UniqueViolation(NitroError):
    """Another entity has the value that must be unique.

    Attributes:
        entity_class: The class of the entity.
        field: The name of the unique field; several with a comma between them.
        value: The value that is taken; a tuple of them where several fields are unique together.
        other: The key of the entity that has it; None where the store does not say.
    """

    def __init__(self, entity_class: type, field: str, value: object, other: object = None) -> None:
        self.entity_class = entity_class
        self.field = field
        self.value = value
        self.other = other
        whose = "another" if other is None or other == value else f"another ({other!r})"
        super().__init__(
            f"{whose} {entity_class.__name__} with {field}={value!r} is stored: "
            "change that one, or give this one another value"
        )


class UnitOfWorkError(NitroError):
    """A unit of work is used in a way that it cannot be: by two tasks, after its end, with two databases."""


class UnsavedChangesWarning(UserWarning):
    """An entity was changed in a unit of work, and nobody has saved it: the change is not stored."""


class UnknownFieldError(NitroError, AttributeError):
    """The class has no field of this name.

    Attributes:
        entity_class: The class that was asked.
        field: The name that it does not know.
    """

    def __init__(self, entity_class: type, field: str, known: Iterable[str], hint: str = "") -> None:
        self.entity_class = entity_class
        self.field = field
        near = difflib.get_close_matches(field, list(known), n=1)
        if near:
            hint = f"; did you mean {near[0]!r}?"
        super().__init__(f"{entity_class.__name__} has no field {field!r}{hint}")
        # An AttributeError that says on what it was raised gets no suggestion of Python's own beside ours.
        self.obj = entity_class


class DurabilityWarning(UserWarning):
    """The durable events of a class are not: its backend has no outbox, and the message says which has."""


class UnstorableEvent(NitroError, ValueError):
    """A durable event that cannot be written so that it comes back as it is. Nothing was sent.

    Attributes:
        signal: The name of the signal.
        sender_class: The class of the sender.
    """

    def __init__(self, signal: str, sender_class: type, reason: str) -> None:
        self.signal = signal
        self.sender_class = sender_class
        super().__init__(
            f"the event {signal!r} of {sender_class.__name__} cannot be kept for its durable handlers: {reason}"
        )


class UnstorableValue(NitroError, ValueError):
    """A value that the store cannot hold as it is. Nothing was written.

    Attributes:
        entity_class: The class of the entity.
        field: The name of the field.
        value: The value.
    """

    def __init__(self, entity_class: type, field: str, value: object, reason: str) -> None:
        self.entity_class = entity_class
        self.field = field
        self.value = value
        shown = repr(value)
        shown = shown if len(shown) <= 100 else shown[:97] + "..."
        super().__init__(f"{entity_class.__name__}.{field}={shown} cannot be stored: {reason}")


class UnsupportedQuery(NitroError):
    """The backend cannot answer this query; the message names the field, the operator and the backend."""


class WriteConflict(NitroError):
    """Two transactions were in each other's way and this one was given up: nothing was written, repeat it."""
