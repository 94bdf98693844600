"""The admin of publishing, lanes and workflows; the one place that sees all three."""
