"""The subcommands of `manage.py instances` that only a publisher has: those that pay."""
