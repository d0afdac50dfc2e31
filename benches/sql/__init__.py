"""Entities in SQLite and PostgreSQL beside raw drivers and other mappers: `python -m benches.sql`."""
