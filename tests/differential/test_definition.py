"""What can be asked of a class, before any object of it is made."""

import pytest

from .classes import WRITTEN
from .comparison import Case, Script, check
from .generated_classes import GENERATED
from .subjects import pairs

QUESTIONS: Script = (
    "Case.__name__, Case.__qualname__, Case.__module__ == __name__, Case.__doc__",
    "list(Case.model_fields)",
    "{name: repr(field) for name, field in Case.model_fields.items() if name != 'id'}",
    "Case.model_config",
    "list(Case.model_computed_fields)",
    "sorted(Case.__private_attributes__)",
    "sorted(name for name in Case.__class_vars__ if not name.startswith('__nitro_'))",
    "str(inspect.signature(Case))",
    "Case.model_json_schema()",
    "Case.model_json_schema(mode='serialization')",
    "Case.model_json_schema(by_alias=False)",
    "TypeAdapter(list[Case]).json_schema()",
    "issubclass(Case, BaseModel)",
    "isinstance(Case, type(BaseModel))",
    "Case.__pydantic_complete__",
    "Case.__pydantic_custom_init__",
    "Case.__pydantic_root_model__",
    "Case.__pydantic_generic_metadata__['args']",
    "hasattr(Case, 'a')",
    "Case.a",
    "Case.nothing",
    "Case.model_rebuild()",
    "class_of_it = type('Sub', (Case,), {'__module__': __name__})",
    "list(class_of_it.model_fields)",
    "Case.__hash__ is None",
    "copy.copy(Case) is Case",
    "pickle.loads(pickle.dumps(Case)) is Case",
)


@pytest.mark.parametrize("case", WRITTEN + GENERATED, ids=lambda case: case.name)
def test_the_class_answers_as_pydantics(case: Case) -> None:
    for pair in pairs():
        check(case, pair, QUESTIONS)
