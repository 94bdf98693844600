"""The engine's own connections: prepared on the server, unless a pooler stands between."""

from typing import Any

import pytest

from workflows.connection import EngineConnection
from workflows.statements import Statement

pytestmark = pytest.mark.django_db(transaction=True)

SOMETHING = Statement("test.something", "select %(number)s::int")
PREPARED = Statement("test.prepared", "select count(*) from pg_prepared_statements")


@pytest.mark.parametrize(("is_pooled", "count"), [(False, 1), (True, 0)])
def test_a_repeated_statement_is_prepared_unless_a_pooler_stands_between(
    settings: Any, is_pooled: bool, count: int
) -> None:
    settings.DATABASE_POOLED = is_pooled
    engine = EngineConnection("test")
    for number in range(5):
        assert engine.fetch(SOMETHING, {"number": number}) == [(number,)]
    prepared = engine.fetch(PREPARED, {})
    engine.close()

    assert prepared == [(count,)]
