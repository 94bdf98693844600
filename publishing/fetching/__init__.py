"""Fetching a page that a brief names: which addresses, over HTTP, and what of it is text."""
