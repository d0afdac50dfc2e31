"""Loading what entities refer to, and deleting what others refer to.

What is asked of the repositories on the way is the same for sync and async code: generators ask, and `run` or `arun`
answers.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import _core
from ._ambient import acting
from .errors import EntityNotFound, ReferencedError, StaleEntityError, UnknownFieldError
from .expressions import field_of
from .relations import Many, RefField, Rows, first_in_line, forget, home, is_live, keep, key_of, referrers, where

if TYPE_CHECKING:
    from .queries import Query
    from .repository import Repository

R = TypeVar("R")


# --- What is asked of repositories, for sync and async code alike -------------------------------------------------


#: (repository, name of its method, arguments): what a generator below waits for. "transaction" is entered.
_Ask = tuple["Repository", str, tuple[Any, ...]]
_Steps = Generator[_Ask, Any, R]


def run(steps: _Steps[R]) -> R:
    """Asks repositories for what the steps ask for."""
    answer: Any = None
    with ExitStack() as transactions:
        while True:
            try:
                repository, method, arguments = steps.send(answer)
            except StopIteration as done:
                return done.value
            answer = getattr(acting(repository), method)(*arguments)
            if method == "transaction":
                transactions.enter_context(answer)


async def arun(steps: _Steps[R]) -> R:
    """`run`, for async code."""
    answer: Any = None
    async with AsyncExitStack() as transactions:
        while True:
            try:
                repository, method, arguments = steps.send(answer)
            except StopIteration as done:
                return done.value
            answer = getattr(acting(repository), f"a{method}")(*arguments)
            if method == "transaction":
                await transactions.enter_async_context(answer)
            else:
                answer = await answer


# --- Loading what entities refer to -------------------------------------------------------------------------------

#: {name of a Ref field or a Many: what to load for what it leads to}.
Tree = dict[str, Any]


class Results(list[R]):
    """What a query found, and what keeps the entities alive that it loaded for them."""

    __slots__ = ("loaded",)

    loaded: list[Any]


def grown(entity_class: type[Any], tree: Tree, relations: Iterable[Any]) -> Tree:
    """A tree with further relations in it.

    Raises:
        UnknownFieldError: If a class has no such relation.
    """
    grown_tree = _copied(tree)
    for relation in relations:
        cls, place = entity_class, grown_tree
        for name in _names(entity_class, relation):
            cls = _leads_to(cls, name)
            place = place.setdefault(name, {})
    return grown_tree


def _copied(tree: Tree) -> Tree:
    return {name: _copied(branch) for name, branch in tree.items()}


def paths(tree: Tree) -> Iterator[str]:
    """The relations that a tree has: "customer", "customer.company"."""
    for name, branch in tree.items():
        if not branch:
            yield name
        for rest in paths(branch):
            yield f"{name}.{rest}"


def _names(entity_class: type[Any], relation: Any) -> list[str]:
    if isinstance(relation, str):
        return relation.replace("__", ".").split(".")
    if isinstance(relation, _core.FieldRef):
        return [str(step) for step in relation._path]
    if isinstance(relation, Many):
        return [cast("Many[Any]", relation)._name]
    raise TypeError(f"with_ takes relations of {entity_class.__name__}, such as their names, got {relation!r}")


def _leads_to(cls: Any, name: str) -> type[Any]:
    if name in cls.__nitro_refs__:
        return cls.__nitro_refs__[name].target
    declared = first_in_line(cls, name)
    if isinstance(declared, Many):
        return cast("Many[Any]", declared)._other_side(cls)[0]
    known = [*cls.__nitro_refs__, *(key for key in dir(cls) if isinstance(first_in_line(cls, key), Many))]
    hint = f"; {name} is a field, and with_ loads what a Ref or a Many leads to" if _is_field(cls, name) else ""
    raise UnknownFieldError(cls, name, known, hint)


def _is_field(cls: Any, name: str) -> bool:
    return name in cls.__pydantic_fields__


def loading(cls: Any, owners: list[Any], tree: Tree) -> _Steps[list[Any]]:
    """Loads what entities of a class refer to: one question for each class. Gives what has to be kept alive."""

    alive: list[Any] = []
    if not owners:
        return alive
    wanted: dict[type[Any], dict[Any, None]] = {}
    for name in tree:
        if name in cls.__nitro_refs__:
            keys = wanted.setdefault(cls.__nitro_refs__[name].target, {})
            keys.update((owner.__dict__[name], None) for owner in owners if owner.__dict__[name] is not None)
    by_key: dict[type[Any], dict[Any, Any]] = {}
    for target, keys in wanted.items():
        targets: list[Any] = (yield home(target), "get_many", (target, list(keys))) if keys else []
        by_key[target] = {key_of(entity): entity for entity in targets}
        alive += targets
    for name, branch in tree.items():
        found: list[Any] = []
        if name in cls.__nitro_refs__:
            other = cls.__nitro_refs__[name].target
            used: dict[int, Any] = {}
            for owner in owners:
                entity = by_key[other].get(owner.__dict__[name])
                if entity is None:
                    forget(owner, name)
                else:
                    keep(owner, name, entity)
                    used[id(entity)] = entity
            found = list(used.values())
        else:
            other, field = cast("Many[Any]", first_in_line(cls, name))._other_side(cls)
            condition = field_of(other, field).in_([key_of(owner) for owner in owners])
            query = _askable(where(other, condition))
            found = yield home(other), "select", (query,)
            if not (is_live(cls) and is_live(other)):
                alive += _keep_many(owners, name, found, field)
        if branch:
            alive += yield from loading(other, found, branch)
    return alive


def _keep_many(owners: list[Any], name: str, found: list[Any], field: str) -> list[Any]:
    rows: dict[Any, Rows] = {key_of(owner): Rows() for owner in owners}
    by_key = {key_of(owner): owner for owner in owners}
    for entity in found:
        key = entity.__dict__[field]
        rows[key].append(entity)
        keep(entity, field, by_key[key])
    for owner in owners:
        keep(owner, name, rows[key_of(owner)])
    return list(rows.values())


def results(found: list[R], alive: list[Any]) -> list[R]:
    """What a query found, with what was loaded for it."""
    if not alive or not found or not is_live(type(found[0])):
        return found
    kept = Results(found)
    kept.loaded = alive
    return kept


def _askable(query: Query[Any]) -> Query[Any]:
    operators = query._repository.capabilities.operators
    return query if operators is None or "in" in operators else query.in_memory()


# --- Deleting what is referred to ---------------------------------------------------------------------------------


def deletion(entity: Any) -> _Steps[None]:
    """Deletes an entity that others may refer to, as their fields say."""

    cls = cast("Any", type(entity))
    repository = home(cls)
    version, key = _core.version(entity), _core.original(entity, cls.__nitro_key__)
    if not version:
        # The error is the repository's.
        yield repository, "delete", (entity,)
        return
    yield repository, "transaction", ()
    plan = _Deletion({cls: {key: entity}})
    yield from plan.collect()
    if not plan.changes_others():
        yield repository, "delete", (entity,)
        return
    # What would refuse the deletion has to do so before anything is changed.
    stored = yield repository, "get", (cls, key)
    if stored is None:
        raise EntityNotFound(cls, key)
    if stored is not entity and _core.version(stored) != version and repository.capabilities.versions:
        raise StaleEntityError(cls, key, expected_version=version, stored_version=_core.version(stored))
    yield from plan.carry_out({key})
    if plan.cyclic:
        # A database whose tables say the same may have deleted it on the way.
        yield repository, "delete_all", (_by_key(cls, [key]),)
        _core.accept_changes(entity, 0)
    else:
        yield repository, "delete", (entity,)


def deletion_of_query(query: Query[Any]) -> _Steps[int]:
    """Deletes what a query finds, and what refers to it, as the fields say; gives how many the query found."""
    cls, repository = query._class, query._repository
    yield repository, "transaction", ()
    found: list[Any] = yield repository, "select", (query,)
    if not found:
        return 0
    keys = [key_of(entity) for entity in found]
    plan = _Deletion({cls: dict(zip(keys, found, strict=True))})
    yield from plan.collect()
    yield from plan.carry_out(set(keys))
    yield repository, "delete_all", (_by_key(cls, keys),)
    return len(found)


def _by_key(cls: Any, keys: Collection[Any]) -> Query[Any]:
    return _where(cls, cls.__nitro_key__, keys)


def _where(cls: Any, name: str, keys: Collection[Any]) -> Query[Any]:

    return _askable(where(cls, field_of(cls, name).in_(list(keys))))


class _Deletion:
    """Everything that goes when some entities go.

    Args:
        roots: {class: {key: entity}} of those that are to be deleted.
    """

    def __init__(self, roots: dict[type[Any], dict[Any, Any]]) -> None:
        #: What is deleted.
        self.doomed = {cls: dict(members) for cls, members in roots.items()}
        #: (class, field, keys of what it refers to) that are set to None.
        self.emptied: list[tuple[type[Any], RefField, list[Any]]] = []
        #: Whether something that is deleted refers, in the end, to itself.
        self.cyclic = False

    def changes_others(self) -> bool:
        return bool(self.emptied) or self.cyclic or sum(map(len, self.doomed.values())) > 1

    def collect(self) -> _Steps[None]:
        """Finds out what goes, and whether it may.

        Raises:
            ReferencedError: If something else refers to it that says RESTRICT.
        """
        restricted: list[tuple[type[Any], RefField, type[Any], list[Any]]] = []
        waiting = [(cls, list(members)) for cls, members in self.doomed.items()]
        while waiting:
            cls, keys = waiting.pop(0)
            for other, field in referrers(cls):
                if field.ondelete == "RESTRICT":
                    restricted.append((other, field, cls, keys))
                    continue
                query = _where(other, field.name, keys)
                if field.ondelete == "SET NULL":
                    if (yield query._repository, "count", (query,)):
                        self.emptied.append((other, field, keys))
                    continue
                found: list[Any] = yield query._repository, "select", (query,)
                known = self.doomed.setdefault(other, {})
                fresh = {key_of(entity): entity for entity in found if key_of(entity) not in known}
                self.cyclic = self.cyclic or len(fresh) < len(found)
                if fresh:
                    known.update(fresh)
                    waiting.append((other, list(fresh)))
        for other, field, cls, keys in restricted:
            doomed = self.doomed.get(other, {})
            query = _where(other, field.name, keys).limit(len(doomed) + 1)
            for entity in (yield query._repository, "select", (query,)):
                if key_of(entity) not in doomed:
                    raise ReferencedError(cls, entity.__dict__[field.name], other, field.name, key_of(entity))

    def carry_out(self, roots: Collection[Any]) -> _Steps[None]:
        """Changes and deletes all but the roots."""

        (root, *_) = self.doomed
        entered = {id(home(root))}
        for cls in (*(cls for cls, _, _ in self.emptied), *self.doomed):
            repository = home(cls)
            if id(repository) not in entered:
                entered.add(id(repository))
                yield repository, "transaction", ()
        for cls, field, keys in self.emptied:
            query = _where(cls, field.name, keys)
            yield query._repository, "update_all", (query, {field.name: None})
        for cls in _referrers_first(root):
            keys = [key for key in self.doomed.get(cls, {}) if cls is not root or key not in roots]
            if keys:
                query = _by_key(cls, keys)
                yield query._repository, "delete_all", (query,)


def _referrers_first(root: type[Any]) -> list[type[Any]]:
    """The classes that refer to a class, directly or not, each ahead of those that it refers to, if that can be."""
    order: list[type[Any]] = []
    seen: set[type[Any]] = set()

    def visit(cls: type[Any]) -> None:
        if cls not in seen:
            seen.add(cls)
            for other, _ in referrers(cls):
                visit(other)
            order.append(cls)

    visit(root)
    return order
