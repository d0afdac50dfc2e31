"""Backends with one mistake each, as authors make them. `test_mistakes_are_found.py` runs the suite over them.

`found_by` names a test that has to fail.
"""

import threading
from contextlib import suppress
from typing import Any

import pytest
from small_backends import JsonRepo, PickleRepo, UndoRepo

from nitro import Capabilities, MemoryRepo, StaleEntityError, changes
from nitro.queries import Page, cursor_bytes, cursor_text
from nitro.testing import RepositoryConformance


class Planted(RepositoryConformance):
    found_by: str
    backend: Any

    @pytest.fixture
    def repository(self):
        return self.backend()


class TestLastSaveWinsInSilence(Planted):
    found_by = "test_a_save_over_a_version_that_moved"

    class backend(JsonRepo):
        def _current(self, entity):
            with suppress(StaleEntityError):
                return super()._current(entity)
            return self._key(entity)


class TestHandsOutWhatItKeeps(Planted):
    found_by = "test_the_object_is_the_record_where_the_backend_is_live_and_a_copy_elsewhere"

    class backend(JsonRepo):
        def get(self, entity_class, key):
            cache = self.__dict__.setdefault("cache", {})
            found = super().get(entity_class, key)
            return found and cache.setdefault((entity_class, key), found)


class TestForgetsTheConditions(Planted):
    found_by = "test_a_condition"

    class backend(JsonRepo):
        def select(self, query):
            return super().select(query._class.where().order_by(*query._order).limit(query._limit))


class TestCutsBeforeItSorts(Planted):
    found_by = "test_an_order"

    class backend(JsonRepo):
        def select(self, query):
            cut = super().select(query.order_by())
            return query.limit(None).offset(0).among(cut)


class TestLosesCharacters(Planted):
    found_by = "test_it_comes_back_as_it_was"

    class backend(JsonRepo):
        def _text(self, entity):
            return super()._text(entity).encode("ascii", "ignore").decode()


class TestStoresNullForNaN(Planted):
    found_by = "test_it_comes_back_as_it_was_or_is_refused"

    class backend(JsonRepo):
        def _text(self, entity):
            return entity.model_dump_json(round_trip=True)


class TestDeletesWhatIsNotThere(Planted):
    found_by = "test_what_is_not_stored_cannot_be_deleted"

    class backend(PickleRepo):
        def delete(self, entity):
            self.records.pop(self.key(entity), None)
            changes.saved(entity, 0)


class TestPagesByNumber(Planted):
    found_by = "test_pages_stay_right_while_rows_come_and_go"

    class backend(JsonRepo):
        def page(self, query, limit, after, total):
            begin = 0 if after is None else int(cursor_bytes(after))
            found = self.select(query.offset(begin).limit(limit + 1))
            cursor = cursor_text(str(begin + limit).encode()) if len(found) > limit else None
            return Page(found[:limit], cursor, self.count(query) if total else None)


class TestKeepsForEverInSilence(Planted):
    found_by = "test_an_entity_expires"

    class backend(PickleRepo):
        def save(self, entity, *, ttl=...):
            super().save(entity, ttl=None)


class TestNeverExpires(Planted):
    found_by = "test_a_class_says_how_long"

    class backend(MemoryRepo):
        def save(self, entity, *, ttl=...):
            super().save(entity, ttl=None if ttl is ... else ttl)

    @pytest.fixture
    def repository(self):
        self.now = 0.0
        return self.backend(clock=lambda: self.now)

    def advance(self, repository, seconds):
        self.now += seconds


class TestSaysThatItKeepsValuesUnique(Planted):
    found_by = "test_a_new_one_with_a_taken_value"

    class backend(PickleRepo):
        capabilities = Capabilities(operators=frozenset({"eq", "and"}), unique=True)


class TestStoresUniqueValuesThatItDoesNotKeepUnique(Planted):
    found_by = "test_none_is_unique_to_nobody"

    class backend(PickleRepo):
        def check_save(self, entity_class, ttl=...):
            return None


class TestFindsNothingWhereItCannotAnswer(Planted):
    found_by = "test_a_condition"

    class backend(PickleRepo):
        def select(self, query):
            known = {"eq", "and"}
            return super().select(query) if {part.operator for part in query._conditions} <= known else []


class TestDoesNotTellTheEntity(Planted):
    found_by = "test_a_save_leaves_no_changes_and_tells_what_it_wrote"

    class backend(PickleRepo):
        def save(self, entity, *, ttl=...):
            copied = entity.model_copy(deep=True)
            super().save(copied, ttl=ttl)


class TestKeepsTheOldKey(Planted):
    found_by = "test_another_key"

    class backend(PickleRepo):
        def save(self, entity, *, ttl=...):
            old = self.key(entity), self.records.get(self.key(entity))
            super().save(entity, ttl=ttl)
            if old[1] is not None and old[0] not in self.records:
                self.records[old[0]] = old[1]


class TestOneDrawerForAllClasses(Planted):
    found_by = "test_each_class_has_its_own_keys"

    class backend(PickleRepo):
        def get(self, entity_class, key):
            found = [record for (_, stored), record in self.records.items() if stored == key]
            return self.load(found[0]) if found else None


class TestForgetsToAwait(Planted):
    found_by = "test_every_verb_has_an_async_twin"

    class backend(JsonRepo):
        async def asave(self, entity, *, ttl=...):
            super().asave(entity, ttl=ttl).close()


class TestSavesInvalidEdits(Planted):
    found_by = "test_an_invalid_in_place_edit_is_refused"

    class backend(PickleRepo):
        def save(self, entity, *, ttl=...):
            changes.saved(entity, changes.version(entity)) if changes.version(entity) else None
            super().save(entity, ttl=ttl)


class TestLooksBeforeItLeaps(Planted):
    """Looks whether a key is taken, and takes it later."""

    found_by = "test_of_all_who_want_a_key_one_gets_it"

    class backend(PickleRepo):
        def save(self, entity, *, ttl=...):
            if not changes.version(entity) and self.key(entity) not in self.records:
                # A slow network.
                threading.Event().wait(0.002)
                self.records.pop(self.key(entity), None)
            super().save(entity, ttl=ttl)


class TestTakesBackInSilence(Planted):
    found_by = "test_a_new_one_is_taken_back"

    class backend(UndoRepo):
        def taking_back(self, entity):
            take_back = super().taking_back(entity)

            def silently():
                version, originals = changes.version(entity), changes.originals(entity)
                take_back()
                changes.restore(entity, version, originals)

            return silently


class TestTakesOnlyNewOnesBack(Planted):
    found_by = "test_a_change_is_taken_back"

    class backend(UndoRepo):
        def taking_back(self, entity):
            return (lambda: None) if changes.version(entity) else super().taking_back(entity)


class TestForgetsWhatItDeletes(Planted):
    found_by = "test_a_deletion_is_taken_back"

    class backend(UndoRepo):
        def taking_back(self, entity):
            take_back = super().taking_back(entity)
            return lambda: take_back() if changes.version(entity) else None


class TestTakesBackToTheBeginning(Planted):
    """Remembers each record once."""

    found_by = "test_several_writes_are_taken_back_the_last_first"

    class backend(UndoRepo):
        def taking_back(self, entity):
            first = self.__dict__.setdefault("first", {})
            return first.setdefault(id(entity), super().taking_back(entity))


class TestLeavesTheNewKeyBehind(Planted):
    found_by = "test_a_key_that_moved_is_moved_back"

    class backend(UndoRepo):
        def taking_back(self, entity):
            take_back = super().taking_back(entity)

            def both():
                written = type(entity), self._key(entity)
                record = self._records.get(written)
                take_back()
                if record is not None:
                    self._records.setdefault(written, record)

            return both


class TestTakesBackWhatItNeverWrote(Planted):
    found_by = "test_what_was_refused_was_never_there"

    class backend(UndoRepo):
        def taking_back(self, entity):
            place, is_new = (type(entity), self._key(entity)), not changes.version(entity)
            take_back = super().taking_back(entity)

            def too_much():
                take_back()
                if is_new:
                    self._records.pop(place, None)

            return too_much


class TestForgetsWhatAnUpsertReplaces(Planted):
    found_by = "test_what_was_replaced_is_put_back"

    class backend(UndoRepo):
        def taking_back(self, entity):
            place, is_new = (type(entity), self._key(entity)), not changes.version(entity)
            take_back = super().taking_back(entity)

            def too_much():
                is_written = bool(changes.version(entity))
                take_back()
                if is_new and is_written:
                    self._records.pop(place, None)

            return too_much


class TestPutsItsOwnBackOverThatOfOthers(Planted):
    found_by = "test_what_others_have_saved_since_stays"

    class backend(UndoRepo):
        def taking_back(self, entity):
            place = type(entity), self._key(entity)
            record, take_back = self._records.get(place), super().taking_back(entity)

            def over_all():
                take_back()
                if record is not None:
                    self._records[place] = record

            return over_all


class TestPutsBackForLonger(Planted):
    found_by = "test_what_is_put_back_expires_as_before"

    class backend(MemoryRepo):
        def taking_back(self, entity):
            take_back = super().taking_back(entity)

            def anew():
                take_back()
                self.save(entity, ttl=None)

            return anew

    @pytest.fixture
    def repository(self):
        self.now = 0.0
        return self.backend(clock=lambda: self.now)

    def advance(self, repository, seconds):
        self.now += seconds
