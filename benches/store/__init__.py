"""The memory store beside its peers, as the number of entities grows: `python -m benches.store`."""
