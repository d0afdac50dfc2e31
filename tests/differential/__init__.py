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

``NITRO_DIFFERENTIAL_EXAMPLES`` is how many examples the tests of this directory run in total.
``NITRO_DIFFERENTIAL_SUBJECT=pydantic`` compares pydantic with itself, which must always pass.
``NITRO_DIFFERENTIAL_TRACE=path`` writes each script to that file before it runs, so that the file
holds the culprit after a crash of the process.
"""
