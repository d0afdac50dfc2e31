"""How fast Nitro is beside its peers, measured in one run.

`python -m benches` measures everything and prints one table; `pytest benches --benchmark-only`
runs the same operations under pytest-benchmark. `README.md` says what is compared with what.
"""
