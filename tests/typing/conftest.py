"""The checkers are in the `lint` group of dependencies: an environment without it, as that which tests a wheel, has
nothing to collect here."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("pyright") and find_spec("mypy") else ["test_type_checkers.py"]
