"""Classes with more fields than fit into one machine word, and with very many."""

import copy
import pickle
from typing import Any

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import BaseModel, ValidationError, create_model

import nitro

COUNTS = [1, 23, 24, 25, 28, 29, 30, 31, 32, 62, 63, 64, 65, 66, 128, 129, 254, 255, 256, 257, 300, 1000]


@pytest.mark.parametrize("count", COUNTS)
def test_any_number_of_fields(count):
    @as_pydantic_does
    def body(base):
        Wide = create_model("Wide", __base__=base, **{f"f{number}": (int, number) for number in range(count)})
        names = [f"f{number}" for number in range(count)]
        empty, full = Wide(), Wide(**dict.fromkeys(names, 7))
        yield empty, empty.model_dump(), empty.model_dump_json()
        yield full.model_dump_json(exclude={"id"}), full.model_fields_set == set(names)
        last = Wide(**{names[-1]: 5})
        yield last.model_fields_set, last.model_dump(exclude_unset=True)
        for name in (names[0], names[count // 2], names[-1]):
            setattr(empty, name, 1000)
            yield empty.model_fields_set, getattr(empty, name)
        yield with_warnings(setattr, empty, names[-1], "1001"), with_warnings(empty.model_dump_json)
        yield with_warnings(setattr, empty, names[-1], "x"), empty.model_fields_set
        yield refusal(Wide, **{names[-1]: "x", names[0]: "y"})
        yield Wide.model_validate({names[-1]: 3}), Wide.model_validate_json(f'{{"{names[-1]}": 3}}')
        yield copy.copy(last), copy.deepcopy(last), last.model_copy(update={names[0]: 9})
        delattr(empty, names[-1])
        yield empty.model_fields_set, list(vars(empty))
        setattr(empty, names[-1], 8)
        yield empty, empty.model_dump_json(exclude={"id"})

    for base in ("Model", "validated Model", "Entity"):
        body(base)


@as_pydantic_does
def test_required_fields_beyond_the_first_64(base):
    Wide = create_model(
        "Wide", __base__=base, **{f"f{number}": (int, ... if number in (0, 63, 64, 99) else 1) for number in range(100)}
    )
    good = {"f0": 1, "f63": 1, "f64": 1, "f99": 1}
    yield Wide(**good), Wide.model_validate(good), refusal(Wide)
    for name in good:
        short = {key: value for key, value in good.items() if key != name}
        yield refusal(Wide, **short), refusal(Wide.model_validate, short)
        yield refusal(Wide.model_validate_json, repr(short).replace("'", '"'))


class WideModel(nitro.Model):
    __annotations__ = {f"f{number}": int for number in range(70)}
    f69: int = 1


class WideEntity(nitro.Entity):
    __annotations__ = {f"f{number}": list[int] if number % 2 else int for number in range(70)}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_many_fields_are_pickled(protocol):
    model = WideModel(**{f"f{number}": number for number in range(69)})
    assert pickle.loads(pickle.dumps(model, protocol)) == model
    assert pickle.loads(pickle.dumps(model, protocol)).model_fields_set == model.model_fields_set
    entity = WideEntity(**{f"f{number}": [number] if number % 2 else number for number in range(70)})
    entity.f69.append(1)
    back = pickle.loads(pickle.dumps(entity, protocol))
    assert back == entity
    assert back.changes == {"f69": ([69], [69, 1])}


@as_pydantic_does
def test_many_extra_keywords(base):
    class Point(base):
        x: int = 0

    data = {f"k{number}": number for number in range(500)}
    yield Point(**data, x="1"), Point.model_validate({**data, "x": 2})


def test_a_class_of_many_nested_classes():
    def define(base: type[BaseModel]) -> Any:
        inner: Any = int
        for number in range(60):
            inner = create_model(f"Level{number}", __base__=base, value=(inner, ...))
        return inner

    data: Any = 5
    for _ in range(60):
        data = {"value": data}
    ours, theirs = define(nitro.Model), define(BaseModel)
    assert ours(**data).model_dump() == theirs(**data).model_dump() == data
    assert ours(**data).model_dump_json() == theirs(**data).model_dump_json()
    assert ours.model_validate_json(ours(**data).model_dump_json()) == ours(**data)


@pytest.mark.parametrize("count", [2, 5, 8, 9, 24, 25, 63, 64, 65])
def test_a_call_may_leave_the_order_of_the_fields_anywhere(count):
    @as_pydantic_does
    def body(base):
        Wide = create_model("Wide", __base__=base, **{f"f{number}": (int, number) for number in range(count)})
        names = [f"f{number}" for number in range(count)]
        usual = {name: 1000 + place for place, name in enumerate(names)}
        for place, name in enumerate(names):
            swapped = [*names[:place], names[-1], *names[place:-1]]
            yield Wide(**{name: usual[name] for name in swapped}).model_dump(exclude={"id"})
            without = Wide(**{other: value for other, value in usual.items() if other != name})
            yield without.model_dump(exclude={"id"}), without.model_fields_set == set(names) - {name}
            for odd in (True, 7.0, "8", 1 << 70, None, "no number"):
                made, warned = with_warnings(Wide, **{**usual, name: odd})
                yield made if isinstance(made, ValidationError) else made.model_dump(exclude={"id"}), warned
            unknown = [*names[:place], "unknown", *names[place:]]
            made = Wide(**{name: usual.get(name, 5) for name in unknown})
            yield made.model_dump(exclude={"id"}), made.model_fields_set == set(names)

    for base in ("Model", "Entity"):
        body(base)
