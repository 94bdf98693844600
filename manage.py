#!/usr/bin/env python
"""Run Django's command line; `demo` and `dev` get a development environment first."""

import os
import sys

DEVELOPMENT_COMMANDS = ("demo", "dev")


def main() -> None:
    """Run the command; Ctrl-C and a missing setting end it with a line and without a stack."""
    from django.core.exceptions import ImproperlyConfigured

    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def run() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "publishing.settings")
    if len(sys.argv) > 1 and sys.argv[1] in DEVELOPMENT_COMMANDS:
        # Children (gunicorn, qcluster) inherit it; what the environment already says stands.
        os.environ.setdefault("DEBUG", "1")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
