"""The routine API: briefs in, instances out, every error as problem+json."""
