"""What is the same call, what may be a key, and what is given the second time."""

import asyncio
import enum
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import pytest
from pydantic import BaseModel, PlainSerializer, ValidationError
from typing_extensions import TypeAliasType

import nitro
from nitro import ConfigurationError, Entity, KeyReused, MemoryRepo, Model
from stores import KINDS, fresh_store, live_in


class Unwritable:
    """A value that has no JSON of its own."""

    def __init__(self, value: int) -> None:
        self.value = value


class Part(Model):
    names: set[str] = set()
    sizes: dict[str, set[int]] = {}
    made_at: datetime = nitro.Field(default_factory=nitro.now)


class Odd(BaseModel, arbitrary_types_allowed=True):
    value: Annotated[Unwritable, PlainSerializer(lambda one: one.value, when_used="json")]


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Box:
    parts: list[Part] = field(default_factory=list)


class Totals(NamedTuple):
    count: int
    total: float


class Till(Entity):
    __tablename__ = "keys_tills"
    runs: int = 0

    def ran(self) -> int:
        self.runs += 1
        return self.runs

    @nitro.command(idempotent=True)
    def note(self, *values: Any) -> int:
        return self.ran()

    @nitro.command(idempotent=True)
    def mix(self, first: int, /, second: int = 2, *rest: int, last: int = 3, **more: int) -> int:
        return self.ran()

    @nitro.command(idempotent=True)
    def at(
        self,
        moment: datetime = nitro.Field(default_factory=nitro.now),  # noqa: B008  (as pydantic allows)
        *,
        part: Part | None = None,
    ) -> int:
        return self.ran()

    @nitro.command(idempotent=True)
    def add_up(self, numbers: Iterable[int]) -> int:
        return sum(numbers)

    @nitro.command(idempotent=True)
    def me(self) -> "Till":
        self.runs += 1
        return self

    @nitro.command(idempotent=True)
    def myself(self) -> Self:
        self.runs += 1
        return self

    @nitro.command(idempotent=True)
    def all_of(self) -> "Sequence[Till]":
        self.runs += 1
        return [self]

    @nitro.command(idempotent=True)
    def aliased(self) -> "Tills":
        self.runs += 1
        return [self]

    @nitro.command(idempotent=True)
    def either(self, which: str) -> "Till | Drawer | str | None":
        self.runs += 1
        return {"till": self, "drawer": Drawer(id=self.id).save(), "nothing": None}.get(which, which)

    @nitro.command(idempotent=True)
    def totals(self) -> Totals:
        self.runs += 1
        return Totals(self.runs, 1.5)

    @nitro.command(idempotent=True)
    def wrong(self, what: str) -> int:
        self.runs += 1
        return "many" if what == "text" else (number for number in (1, 2))  # type: ignore[return-value]

    @nitro.command(idempotent=True)
    async def anote(self, *values: Any) -> int:
        return self.ran()


class Drawer(Till):
    __tablename__ = "keys_drawers"

    @nitro.command(idempotent=True)
    def note(self, *values: Any) -> int:
        return 100 + super().note(*values, idempotency_key="a")


Tills = TypeAliasType("Tills", list[Till])

CLASSES = (Till, Drawer)


@pytest.fixture(params=KINDS, autouse=True)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with fresh_store(request, tmp_path) as made:
        live_in(made, CLASSES, monkeypatch)
        yield made


def sets_of(*values: Any) -> tuple[set[Any], set[Any]]:
    """Equal sets that are gone through in different orders."""
    one, other = set(values), set()
    # Places for many more.
    other.update(range(10_000))
    other.clear()
    other.update(reversed(values))
    return one, other


class TestTheSameCall:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            ({"a": {"b": [1], "c": None}}, {"a": {"c": None, "b": [1]}}),
            ({1: "a", "1": "b"}, {"1": "b", 1: "a"}),
            sets_of(*(8 * number for number in range(20))),
            ({(1, 2): {"x"}}, {(1, 2): {"x"}}),
            (frozenset({"a"}), frozenset({"a"})),
            (b"\xff\x00", b"\xff\x00"),
            ("\ud800", "\ud800"),
            (float("nan"), float("nan")),
            (Odd(value=Unwritable(1)), Odd(value=Unwritable(1))),
            ([Decimal("1.5"), uuid.UUID(int=3), Colour.RED], [Decimal("1.5"), uuid.UUID(int=3), Colour.RED]),
        ],
    )
    def test_equal_arguments_are_the_same(self, first: Any, second: Any) -> None:
        till = Till().save()
        assert till.note(first, idempotency_key="a") == till.note(second, idempotency_key="a") == 1

    def test_so_are_those_inside_of_models_and_dataclasses(self) -> None:
        till = Till().save()
        one, other = sets_of(*(8 * number for number in range(20)))
        first = Part(names={str(number) for number in one}, sizes={"a": one, "b": set()})
        second = Part(names={str(number) for number in other}, sizes={"b": set(), "a": other})
        assert till.note(Box([first]), idempotency_key="a") == till.note(Box([second]), idempotency_key="a") == 1

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
            ([1, 2], {1, 2}),
            ({1: "a"}, {"1": "a"}),
            ([("a", 1)], {"a": 1}),
            ({"set": [1]}, {1}),
            ([[1], 2], [1, [2]]),
            (Part(names={"a"}), Part(names={"b"})),
            (Odd(value=Unwritable(1)), Odd(value=Unwritable(2))),
            (b"a", b"b"),
        ],
    )
    def test_others_are_not(self, first: Any, second: Any) -> None:
        till = Till().save()
        till.note(first, idempotency_key="a")
        with pytest.raises(KeyReused):
            till.note(second, idempotency_key="a")

    @pytest.mark.parametrize(
        ("arguments", "keywords"),
        [
            ((1, 2, 4), {"last": 5}),
            ((1, 2, 3), {"last": 6}),
            ((1, 2, 3), {"last": 5, "first": 1}),
            ((9, 2, 3), {"last": 5}),
            ((1, 2), {"last": 5}),
        ],
    )
    def test_each_argument_counts_wherever_it_stands(self, arguments: Any, keywords: Any) -> None:
        till = Till().save()
        till.mix(1, 2, 3, last=5, idempotency_key="a")
        with pytest.raises(KeyReused):
            till.mix(*arguments, **keywords, idempotency_key="a")

    def test_an_argument_by_its_place_is_the_same_as_by_its_name(self) -> None:
        till = Till().save()
        assert till.mix(1, 2, idempotency_key="a") == till.mix(1, second="2", idempotency_key="a") == 1
        assert till.mix(1, last=3, idempotency_key="a") == till.mix(1, idempotency_key="a") == 1

    def test_what_is_made_anew_for_each_call_does_not_count(self) -> None:
        till = Till().save()
        assert till.at(idempotency_key="a") == till.at(idempotency_key="a") == 1
        assert till.at(part={"names": ["x"]}, idempotency_key="b") == till.at(
            part={"names": ["x"]}, idempotency_key="b"
        )
        with pytest.raises(KeyReused):
            till.at(part={"names": ["y"]}, idempotency_key="b")
        with pytest.raises(KeyReused):
            till.at(datetime(2025, 1, 1, tzinfo=UTC), idempotency_key="a")

    def test_what_can_be_read_once_is_an_error(self) -> None:
        till = Till().save()
        with pytest.raises(
            ConfigurationError, match=r"Till.add_up has idempotent=True and an argument that .* iterator"
        ):
            till.add_up(iter([1]), idempotency_key="a")
        assert till.add_up(iter([1, 2])) == 3

    def test_what_has_no_json_is_an_error_that_names_the_command(self) -> None:
        with pytest.raises(ConfigurationError, match=r"Till.note has idempotent=True and an argument that is no JSON"):
            Till().save().note(Unwritable(1), idempotency_key="a")

    def test_it_is_the_same_in_another_process(self) -> None:
        code = (
            "from nitro.commands.recorded import canonical\n"
            "print(canonical({'b': {'x', 'y', 'z'}, 'a': frozenset('abcdef')}))"
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2", "3")
        }
        assert len(found) == 1

    def test_classes_of_one_name_do_not_share_keys(self, store: Any) -> None:
        if not isinstance(store, MemoryRepo):
            return

        def define() -> Any:
            class Purse(Till, backend=store):
                __module__ = f"shop_{len(made)}"

            return Purse

        made: list[Any] = []
        made += [define()]
        made += [define()]
        for purse_class in made:
            assert purse_class(id="a").save().note(1, idempotency_key="a") == 1
            assert purse_class.get("a").runs == 1

    def test_one_that_overrides_another_may_hand_on_its_key(self) -> None:
        drawer = Drawer().save()
        assert drawer.note(1, idempotency_key="a") == drawer.note(1, idempotency_key="a") == 101


class TestKeys:
    def test_a_uuid_is_its_text(self) -> None:
        till, key = Till().save(), uuid.uuid4()
        assert till.note(1, idempotency_key=key) == till.note(1, idempotency_key=str(key)) == 1

    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            (7, "string_type"),
            (b"a", "string_type"),
            (True, "string_type"),
            ("", "string_too_short"),
            ("x" * 256, "string_too_long"),
            ("a\0b", "idempotency_key"),
            ("\ud800", "idempotency_key"),
            ("a\nb", "idempotency_key"),
        ],
    )
    def test_what_cannot_be_one_is_an_error_that_names_the_command(self, key: Any, kind: str) -> None:
        till = Till().save()

        def check(error: ValidationError) -> None:
            (told,) = error.errors(include_url=False)
            assert (told["loc"], told["type"]) == (("idempotency_key",), kind)

        with pytest.raises(ValidationError, match=r"Till.note\nidempotency_key\n") as caught:
            till.note(1, idempotency_key=key)
        check(caught.value)
        with pytest.raises(ValidationError, match=r"Till.anote\nidempotency_key\n") as caught:
            asyncio.run(till.anote(1, idempotency_key=key))
        check(caught.value)
        assert till.runs == 0

    def test_the_longest_is_one(self) -> None:
        till = Till().save()
        for key in ("x" * 255, "\N{SNOWMAN}" * 255, "a key with spaces"):
            assert till.note(1, idempotency_key=key) == till.note(1, idempotency_key=key)
        assert till.runs == 3

    def test_none_is_no_key(self) -> None:
        till = Till().save()
        assert (till.note(1, idempotency_key=None), till.note(1, idempotency_key=None)) == (1, 2)

    def test_a_method_of_another_class_has_no_store_for_them(self) -> None:
        class Service:
            @nitro.command(idempotent=True)
            def run(self) -> int:
                return 1

            @nitro.command(idempotent=True)
            async def arun(self) -> int:
                return 1

            @nitro.command(lock=True)
            def alone(self) -> int:
                return 1

        assert Service().run() == 1
        with pytest.raises(ConfigurationError, match=r"Service.run has idempotent=True, and .*Service is no entity"):
            Service().run(idempotency_key="a")
        with pytest.raises(ConfigurationError, match=r"Service.arun has idempotent=True, and .*Service is no entity"):
            asyncio.run(Service().arun(idempotency_key="a"))
        with pytest.raises(ConfigurationError, match=r"Service.alone has lock=True, and .*Service is no entity"):
            Service().alone()


class TestWhatIsGivenAgain:
    @pytest.mark.parametrize("name", ["me", "myself"])
    @pytest.mark.parametrize("entity_class", [Till, Drawer])
    def test_an_entity_is_of_the_class_that_it_was(self, name: str, entity_class: Any) -> None:
        till = entity_class().save()
        first, second = (getattr(till, name)(idempotency_key="a") for _ in range(2))
        assert type(first) is type(second) is entity_class
        assert (second.id, second.runs) == (till.id, 1)

    @pytest.mark.parametrize("name", ["all_of", "aliased"])
    def test_so_are_those_in_a_sequence(self, name: str) -> None:
        till = Till().save()
        for _ in range(2):
            (found,) = getattr(till, name)(idempotency_key="a")
            assert (type(found), found.id, nitro.changes.version(found)) == (Till, till.id, 2)

    @pytest.mark.parametrize(("which", "expected"), [("till", Till), ("drawer", Drawer), ("nothing", None), ("x", "x")])
    def test_so_is_one_of_several(self, which: str, expected: Any) -> None:
        till = Till().save()
        for _ in range(2):
            found = till.either(which, idempotency_key="a")
            assert (type(found) if isinstance(found, Entity) else found) == expected

    def test_a_named_tuple_comes_back_as_one(self) -> None:
        till = Till().save()
        for _ in range(2):
            assert till.totals(idempotency_key="a") == Totals(1, 1.5)
            assert type(till.totals(idempotency_key="a")) is Totals

    @pytest.mark.parametrize(("what", "why"), [("text", "Input should be a valid integer"), ("numbers", "an iterator")])
    def test_what_is_not_as_it_says_is_an_error_of_the_first_call(self, what: str, why: str) -> None:
        till = Till().save()
        with pytest.raises(ConfigurationError, match=rf"Till.wrong has idempotent=True, and what it gave .*{why}"):
            till.wrong(what, idempotency_key="a")
        assert Till.where(id=till.id).sum("runs") == 0

    def test_what_was_recorded_under_another_annotation_is_an_error_that_says_so(self, store: Any) -> None:
        if not isinstance(store, MemoryRepo):
            return

        def define(returns: Any, answer: Any) -> Any:
            class Purse(Till, backend=store):
                @nitro.command(idempotent=True)
                def look(self) -> returns:
                    return answer

            return Purse

        define(str, "much")(id="a").save().look(idempotency_key="a")
        with pytest.raises(
            ConfigurationError, match=r"Purse.look gave for idempotency_key='a' was recorded, and is not"
        ):
            define(int, 5)(id="a").save().look(idempotency_key="a")
