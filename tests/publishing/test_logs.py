"""Log lines: one a record, told by place, without a stack and without paths of the machine."""

import logging
import re

from django.conf import settings

from publishing.fetching.addresses import refuse_literal
from publishing.logs import LineFormatter

BASE, DATA = str(settings.BASE_DIR), str(settings.DATA_DIR)
LINES = LineFormatter(roots={BASE: "", DATA: "DATA_DIR/"})


def _line(message: str, error: BaseException | None = None) -> str:
    trace = (type(error), error, error.__traceback__) if error else None
    return LINES.format(logging.LogRecord("publishing", logging.ERROR, "f", 1, message, (), trace))


def test_an_exception_stands_on_the_records_line_with_the_place() -> None:
    try:
        refuse_literal(None)  # type: ignore[arg-type]
    except TypeError as error:
        line = _line("a\nfailed", error)
    else:
        raise AssertionError("None is no address")
    place = (
        r"\(publishing/fetching/addresses\.py:\d+ in _take_apart < "
        r"publishing/fetching/addresses\.py:\d+ in read_target < "
        r"publishing/fetching/addresses\.py:\d+ in refuse_literal\)$"
    )
    assert re.search(rf"ERROR publishing a failed: TypeError: .*{place}", line)
    assert "site-packages" not in line
    assert BASE not in line


def test_paths_in_messages_are_cut() -> None:
    try:
        raise OSError(f"cannot open {BASE}/static/a.css")
    except OSError as error:
        line = _line(f"in {DATA}/media/x and {DATA}", error)
    assert "in DATA_DIR/media/x and DATA_DIR: OSError: cannot open static/a.css (tests/" in line


def test_the_house_writes_with_it() -> None:
    loggers = [
        logging.getLogger(),
        logging.getLogger("django"),
        logging.getLogger("django.request"),
    ]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    own = [one for one in handlers if type(one) is logging.StreamHandler]
    assert {type(handler.formatter) for handler in own} == {LineFormatter}
