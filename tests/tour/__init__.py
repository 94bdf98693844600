"""A graph that goes past every kind of entry, for tests that kill workers on the way."""
