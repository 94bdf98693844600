"""The command `instances` of a publisher: the engine's, with what verbs cost and those that pay."""

from publishing.cli import paying
from publishing.cli.costs import foretell_cost
from workflows.cli.subcommands import SUBCOMMANDS
from workflows.management.commands.instances import Command as EngineCommand


class Command(EngineCommand):
    """Add the verbs about money, and say before each verb what it may cost."""

    subcommands = (*SUBCOMMANDS, *paying.SUBCOMMANDS)
    forecaster = staticmethod(foretell_cost)
