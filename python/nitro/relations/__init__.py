"""Relations between entities, wherever each of them lives: `Ref` for the side that has the key, `Many` for the other.

An entity keeps the key alone: in a field declared as `customer: Ref[Customer]` stands the key of a customer, for every
backend, index, dump and comparison. The `Ref` is made when the attribute is read.
"""

from .kept import Rows, forget, home, is_live, keep, key_of, register, where
from .other_side import Many, belonging, many, take_many
from .reference import Ref, key_type, plain, target_of
from .referring import (
    RefAttribute,
    RefField,
    first_in_line,
    incomplete,
    init,
    install,
    is_referred_to,
    key_given,
    key_in_field,
    keys_in_fields,
    keys_of,
    referrers,
    settle,
)

__all__ = [
    "Many",
    "Ref",
    "RefAttribute",
    "RefField",
    "Rows",
    "belonging",
    "first_in_line",
    "forget",
    "home",
    "incomplete",
    "init",
    "install",
    "is_live",
    "is_referred_to",
    "keep",
    "key_given",
    "key_in_field",
    "key_of",
    "key_type",
    "keys_in_fields",
    "keys_of",
    "many",
    "plain",
    "referrers",
    "register",
    "settle",
    "take_many",
    "target_of",
    "where",
]
