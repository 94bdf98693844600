"""The subcommands of `manage.py instances`, by what people do with them."""
