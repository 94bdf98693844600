"""The engine's SQL: one constant a statement, named after its module and itself.

The names are also its fault points: a test can stop a process before a statement is sent, before
what it did commits, and after.
"""

from workflows.statements.statement import Statement, execute

__all__ = ["Statement", "execute"]
