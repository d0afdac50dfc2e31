"""What events, units of work and commands cost, beside the same without them: `python -m benches.work`."""
