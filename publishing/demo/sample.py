"""The sample run: eight briefs are posted, followed, looked at, and the first one sent again."""

from collections.abc import Callable, Sequence

from rich.console import Console

from publishing.demo.client import Answer, RoutineClient, follow, is_live
from publishing.demo.errors import PaidAgainError, RefusedBriefError
from publishing.demo.progress import choose_display


class SampleRun:
    """One run of sample briefs against a running platform.

    Attributes:
        answers: the last answer of each instance, by its ID.
    """

    def __init__(self, client: RoutineClient, console: Console) -> None:
        self._client = client
        self._console = console
        self._display = choose_display(console)
        self.answers: dict[str, Answer] = {}

    def publish(self, briefs: Sequence[Answer]) -> None:
        """Post the briefs and show their progress until nothing happens to them any more."""
        self.follow([self.post(brief) for brief in briefs])

    def post(self, brief: Answer) -> str:
        """Post a brief, print what was answered, and return the ID of its instance.

        Raises:
            RefusedBriefError: it was neither taken nor known already.
        """
        status, answer = self._client.post(brief)
        if status not in (200, 202):
            raise RefusedBriefError(f"{brief['brief_id']} was refused: {status} {answer}")
        changed = ", ".join(answer.get("changed", []))
        self.print(
            f"{brief['lane']:<10} POST {brief['brief_id']}  {status} {answer['detail']}"
            + (f" (the first one stands; changed since: {changed})" if changed else "")
        )
        return str(answer["instance_id"])

    def follow(
        self, instance_ids: Sequence[str], *, until: Callable[[Answer], bool] | None = None
    ) -> None:
        """Show the instances' progress until they are at rest, or `until` is true of one."""
        with self._display as display:
            self.answers |= follow(self._client, instance_ids, show=display.show, until=until)

    def read(self, instance_ids: Sequence[str]) -> list[Answer]:
        """Return the instances as they are now."""
        return [self._client.get(instance_id) for instance_id in instance_ids]

    def post_again(self, brief: Answer) -> None:
        """Post a brief once more that is done.

        Raises:
            PaidAgainError: it was not absorbed, or something was paid for it.
        """
        status, answer = self._client.post(brief)
        paid = answer["cost_micros"] - self.answers[answer["instance_id"]]["cost_micros"]
        told = f"{status} {answer['detail']}, {paid} paid"
        if status != 200 or paid:
            raise PaidAgainError(f"{brief['brief_id']} was not absorbed: {told}")
        self.print(f"\n{brief['brief_id']} posted again: {told}")

    def all_answer(self, *, but: str | None = None) -> bool:
        """Whether each article's page answers 200; print why not.

        Args:
            but: ID of an instance that need not be live.
        """
        ok = True
        for answer in self.answers.values():
            if answer["instance_id"] == but:
                continue
            status = self._client.status_of(answer["article"]["url"]) if is_live(answer) else 0
            if status != 200:
                ok = False
                self.print(f"\n{answer['lane']}: {_why_not(answer, status)}")
        return ok

    def print(self, text: str) -> None:
        """Print a line as it is, whatever the width of the terminal."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _why_not(answer: Answer, status: int) -> str:
    if is_live(answer):
        return f"{answer['article']['url']} answers {status or 'nothing'}"
    problem = next((step for step in answer["steps"] if step["error"]), None)
    because = f" at {problem['name']}: {problem['error']['message']}" if problem else ""
    return f"{answer['instance_id']} is {answer['status']}{because}"
