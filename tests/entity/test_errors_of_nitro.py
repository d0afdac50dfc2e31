"""The tree of errors: what catches what, what they say, and that they travel."""

import copy
import pickle
import traceback

import pytest

import nitro
from nitro import (
    BackendError,
    BackendUnavailable,
    CommitOutcomeUnknown,
    ConfigurationError,
    ConstraintViolation,
    Entity,
    EntityNotFound,
    KeyReused,
    NitroError,
    NotLoaded,
    PermissionDenied,
    ReferencedError,
    SchemaMismatch,
    StaleEntityError,
    UniqueViolation,
    UnitOfWorkError,
    UnknownFieldError,
    UnstorableEvent,
    UnstorableValue,
    UnsupportedQuery,
    WriteConflict,
    errors,
)


class Order(Entity):
    status: str = ""


ERRORS: list[NitroError] = [
    ConfigurationError("names its backend twice"),
    EntityNotFound(Order, "1"),
    StaleEntityError(Order, "1", expected_version=1, stored_version=2),
    StaleEntityError(Order, "1", expected_version=1, stored_version=None),
    UniqueViolation(Order, "status", "a"),
    UnknownFieldError(Order, "statuss", ["status"]),
    UnsupportedQuery("like on Order.status: memory cannot"),
    BackendUnavailable("sqlite:///shop.db cannot be opened"),
    CommitOutcomeUnknown("postgresql://shop was lost while it was writing"),
    SchemaMismatch("there is no table order"),
    ConstraintViolation(Order, "1", "FOREIGN KEY constraint failed"),
    UnstorableValue(Order, "status", "a\0b", "no database keeps it"),
    WriteConflict("two transactions"),
    NotLoaded(Order, "lines", "there is no session", "load it with the query"),
    EntityNotFound(Order, "1", referrer="Line.order of '2'"),
    ReferencedError(Order, "1", Order, "status", "2"),
    BackendError("sqlite:///shop.db", "database or disk is full", "make room"),
    KeyReused("Order.place", "key-1"),
    PermissionDenied("only clerks refund"),
    UnitOfWorkError("this unit of work has ended"),
    UnstorableEvent("order-placed", Order, "the keyword 'file' cannot be written"),
]


def test_every_error_is_here():
    known = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, NitroError)}
    assert {type(error) for error in ERRORS} | {NitroError} == known


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_is_exported_and_is_a_nitro_error(error):
    assert isinstance(error, NitroError)
    assert getattr(nitro, type(error).__name__) is type(error)
    assert type(error).__name__ in nitro.__all__
    assert type(error).__doc__


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_is_pickled_and_copied(error, protocol):
    for back in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(back) is type(error)
        assert str(back) == str(error)
        assert back.args == error.args
        assert vars(back) == vars(error)


def test_what_builtin_errors_they_are():
    assert issubclass(EntityNotFound, LookupError)
    assert issubclass(UnknownFieldError, AttributeError)
    assert not issubclass(NitroError, (ValueError, LookupError))


def test_what_they_say():
    assert [str(error) for error in ERRORS[1:6]] == [
        "no Order has the key '1'",
        "Order '1' was loaded as version 1 and it is at 2 now: load it again and repeat the change",
        "Order '1' was loaded as version 1 and it was deleted: load it again and repeat the change",
        "another Order with status='a' is stored: change that one, or give this one another value",
        "Order has no field 'statuss'; did you mean 'status'?",
    ]


def test_a_name_is_suggested_once():
    """Python appends a suggestion of its own to an AttributeError, from 3.12 on in the traceback module too."""
    with pytest.raises(UnknownFieldError) as caught:
        _ = Order.statuss
    assert traceback.format_exception_only(caught.value)[-1].count("id you mean") == 1


def test_the_message_can_be_overridden_by_a_subclass():
    class Missing(EntityNotFound):
        pass

    back = Missing(Order, 5)
    assert str(back) == "no Order has the key 5"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_notes_and_causes_work(error):
    fresh = copy.copy(error)
    fresh.add_note("seen")
    with pytest.raises(type(error)) as caught:
        raise fresh from ValueError("why")
    assert caught.value.__notes__ == ["seen"]
    assert isinstance(caught.value.__cause__, ValueError)
