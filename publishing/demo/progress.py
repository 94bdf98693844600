"""The progress of briefs on the terminal: live lines there, plain ones anywhere else."""

from datetime import UTC, datetime
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from publishing.demo.client import Answer

STYLES = {
    "complete": "green",
    "running": "blue",
    "waiting": "yellow",
    "errored": "red",
    "paused": "bright_black",
    "terminated": "bright_black",
}
# Always a shape beside the colour, so that NO_COLOR and colour-blind eyes lose nothing.
MARKS = {"running": "▸", "waiting": "◦", "errored": "✗", "paused": "‖", "terminated": "■"}
SHORT = 3  # letters of a stage that is not at work, where the terminal is narrow
REFRESHES_PER_SECOND = 8
UNBOUNDED = 1000  # columns; more than any line has


class Display(Protocol):
    """Something that is shown each answer as it is read, within a `with` block of its own."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *raised: object) -> None: ...
    def show(self, answer: Answer) -> None:
        """Show what is new in the answer."""


def choose_display(console: Console) -> Display:
    """Return a live display for a terminal, a plain one for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console)
    return PlainDisplay(console)


class PlainDisplay:
    """One line for each change: lane, stage, state, time since the brief came, cost."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: set[str] = set()
        self._shown: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave what was printed."""

    def show(self, answer: Answer) -> None:
        """Print a line for each stage that changed, and for the article at its end.

        Of an instance that had ended before it was first seen only the end is told.
        """
        is_news = answer["instance_id"] in self._seen or not answer["finished_at"]
        self._seen.add(answer["instance_id"])
        for step in answer["steps"]:
            if is_news and step["status"] != "pending":
                self._line(answer, step["name"], step["status"], step["cost_micros"])
        if answer["finished_at"] or answer["waiting_for"]:
            self._line(answer, "article", told_status(answer), answer["cost_micros"])

    def _line(self, answer: Answer, name: str, status: str, cost_micros: int) -> None:
        place = (answer["instance_id"], name)
        if self._shown.get(place) == status:
            return
        self._shown[place] = status
        self._console.print(
            f"{answer['lane']:<10} {name:<11} {status:<17}"
            f" {elapsed_seconds(answer):>7.1f} s {dollars(cost_micros):>9}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


class LiveDisplay:
    """One line a brief, redrawn in place; its stages are words that fill from the left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._answers: dict[str, Answer] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._answers.clear()
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, answer: Answer) -> None:
        """Keep the answer for the next drawing."""
        self._answers[answer["instance_id"]] = answer

    def render(self) -> Table:
        """Draw all lines, in full words where the terminal is wide enough for them."""
        answers = list(self._answers.values())
        table = draw(answers, is_short=False)
        unbounded = self._console.options.update(max_width=UNBOUNDED)
        needed = self._console.measure(table, options=unbounded).maximum
        return table if needed <= self._console.width else draw(answers, is_short=True)


def draw(answers: list[Answer], *, is_short: bool) -> Table:
    """Return a line for each answer: lane, stages, state, time and cost."""
    table = Table.grid(padding=(0, 1))
    for _words in ("lane", "stages", "state"):
        table.add_column(no_wrap=True)
    for _figures in ("time", "cost"):
        table.add_column(no_wrap=True, justify="right")
    for answer in answers:
        status = answer["status"]
        table.add_row(
            Text(answer["lane"]),
            _stages(answer, is_short=is_short),
            Text(told_status(answer), style=STYLES.get(status, "")),
            f"{elapsed_seconds(answer):.1f} s",
            dollars(answer["cost_micros"]),
        )
    return table


def dollars(micros: int) -> str:
    """Return micro-dollars in dollars, to a tenth of a cent."""
    return f"${micros / 1_000_000:,.3f}"


def told_status(answer: Answer) -> str:
    """Return the status in words; a waiting instance says for what."""
    waits = f"waiting: {answer['waiting_for']}"
    return waits if answer["waiting_for"] else str(answer["status"])


def elapsed_seconds(answer: Answer) -> float:
    """Return the time from the brief's arrival to its end, or until now."""
    end = _moment(answer["finished_at"]) or datetime.now(UTC)
    begin = _moment(answer["created_at"]) or end
    return max(0.0, (end - begin).total_seconds())


def _stages(answer: Answer, *, is_short: bool) -> Text:
    line = Text()
    for step in answer["steps"]:
        name, status = step["name"], step["status"]
        word = name[:SHORT] if is_short and status not in MARKS else name
        if status == "pending":
            line.append("·" * len(word), style="dim")
        else:
            line.append(MARKS.get(status, ""), style=STYLES.get(status, ""))
            line.append(word, style=STYLES.get(status, ""))
        line.append(" ")
    line.rstrip()
    return line


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
