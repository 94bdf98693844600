"""What an app knows of a verb before it is confirmed; the engine itself knows no money."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from workflows.models import Instance


@dataclass(frozen=True)
class Forecast:
    """What a verb may do beyond the engine, such as pay.

    Attributes:
        words: a sentence for people.
        fields: the same, as JSON.
    """

    words: str
    fields: Mapping[str, Any]


# The verb, the entry of a restart, and the instances it is for; None where there is nothing to say.
Forecaster = Callable[[str, str | None, QuerySet[Instance]], Forecast | None]


def foretell_nothing(verb: str, entry: str | None, chosen: QuerySet[Instance]) -> None:
    """Say nothing: no app has told the command what its verbs cost."""
