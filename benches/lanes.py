"""Whether the classes of the benches take the lanes that the rows say they measure.

`python -m benches.lanes` ends with an error that names each class that does not.
"""

import nitro

from .rows import NITRO
from .shapes import names_of

# Line is a value object of the Entity, and frozen: nothing is assigned to it.
FAST_OPERATIONS = {
    "Order": {
        "construct",
        "model_validate",
        "model_validate_json",
        "model_dump",
        "model_dump_json",
    },
    "Assigned": {"construct", "assignment"},
    "Line": {"construct", "model_validate", "model_dump_json"},
    "OrderWithLines": {"construct", "model_dump_json"},
    "Ticket": {"construct"},
}
SLOW_OPERATIONS = {
    "Checked": {"construct"},
    "CheckedAssigned": {"construct"},
    "Displayed": {"model_dump"},
}


def wrong_lanes() -> str:
    """A complaint for every class that goes the other lane; empty where all is as the rows say."""
    complaints = []
    for peer in NITRO:
        names = names_of(peer)
        for class_name, operations in FAST_OPERATIONS.items():
            lanes = nitro.explain(names[class_name])
            complaints += [
                f"{peer}'s {class_name}: {operation} is slow: {lanes.operations[operation]}"
                for operation in sorted(operations)
                if lanes.operations[operation] is not None
            ]
            complaints += [
                f"{peer}'s {class_name}.{field.name} is slow: {field.reason}"
                for field in lanes.fields
                if field.reason is not None
            ]
        for class_name, operations in SLOW_OPERATIONS.items():
            lanes = nitro.explain(names[class_name])
            complaints += [
                f"{peer}'s {class_name}: {operation} is fast, the rows say slow"
                for operation in sorted(operations)
                if lanes.operations[operation] is None
            ]
    return "\n".join(complaints)


if __name__ == "__main__" and (complaint := wrong_lanes()):
    raise SystemExit(complaint)
