"""The differential suite: Nitro's classes give the answers that pydantic gives.

A case is a class written as Python source, a script is a list of Python statements about it. Both
are run twice: once where ``Model`` means pydantic's BaseModel, once where it means one of ours. Each
statement must have the same outcome: the same value, the same error, the same warnings.

    vocabulary.py         the types and values that sources and scripts speak of
    classes.py            cases written by hand
    generated_classes.py  cases written by a seeded generator
    inputs.py             values, right and hostile, as Python source and as JSON
    scripts.py            what is done to an object, as Hypothesis strategies
    comparison.py         runs a script on both sides and compares
    subjects.py           which of ours is compared with which of pydantic's
    known_differences.py  the differences that are wanted, with their reasons
    budget.py             how many examples there are, and how they are shared out

    test_generated.py     scripts drawn for each case
    test_sweep.py         every value of the pools into every kind of field, without chance
    test_found.py         scripts written by hand: differences that there once were
    test_definition.py    what the classes themselves answer
    test_lanes.py         the cases do take the fast lane
    test_suite_can_fail.py  deliberately broken stand-ins do not pass
    test_known_differences.py  each wanted difference is still there

``NITRO_DIFFERENTIAL_EXAMPLES`` is how many examples test_generated.py runs in total (20000); every
example is compared for Model, Model with validated assignment, Entity and ValueObject. Where ``CI`` is
set, the examples are the same ones in every run. ``NITRO_DIFFERENTIAL_EVERY_PAIR=1`` sweeps all pairs.
``NITRO_DIFFERENTIAL_SUBJECT=pydantic`` compares pydantic with itself, which must always pass.
``NITRO_DIFFERENTIAL_TRACE=path`` writes each script to that file before it runs, so that the file
holds the culprit after a crash of the process.
"""
