"""The line that a log record becomes: one, with no stack and no path of this machine in it."""

import logging
import traceback
from pathlib import Path
from types import TracebackType

_MOST_FRAMES = 3


class LineFormatter(logging.Formatter):
    """Formats a record as one line; an exception is told by type, message and place.

    As in `ValueError: no (publishing/site/views.py:42 in article < publishing/apps.py:7 in call)`:
    innermost first, frames of this project only, at most three. Tracebacks of failed attempts are
    kept with the attempt, for operators.

    Args:
        roots: folders whose names are cut from whatever is logged, with what the cut part becomes;
            the first one holds this project's code.
    """

    def __init__(self, *, roots: dict[str, str]) -> None:
        super().__init__("{asctime} {levelname} {name} {message}", style="{")
        self._code = next(iter(roots))
        # The longest first: one may lie within another.
        self._roots = sorted(roots.items(), key=lambda root: -len(root[0]))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        line = self.formatMessage(record)
        if record.exc_info and record.exc_info[1] is not None:
            line = f"{line}: {self._told(record.exc_info[1], record.exc_info[2])}"
        for root, short in self._roots:
            line = line.replace(f"{root}/", short).replace(root, short.rstrip("/") or ".")
        return " ".join(line.split())

    def _told(self, error: BaseException, trace: TracebackType | None) -> str:
        frames = [
            f"{Path(frame.filename).relative_to(self._code)}:{frame.lineno} in {frame.name}"
            for frame in reversed(traceback.extract_tb(trace))
            if self._is_ours(Path(frame.filename))
        ]
        place = f" ({' < '.join(frames[:_MOST_FRAMES])})" if frames else ""
        return f"{type(error).__name__}: {error}{place}"

    def _is_ours(self, file: Path) -> bool:
        # Libraries may be installed in a folder of the project's own.
        return file.is_relative_to(self._code) and "site-packages" not in file.parts
