"""The statement behind the event log's cursor."""

from workflows.statements.statement import Statement

# Every transaction below it has ended; what it wrote, if it committed, is there to be read.
HORIZON = Statement(
    "history.horizon", "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
)
