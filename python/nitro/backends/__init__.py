"""The backends that come with Nitro."""
