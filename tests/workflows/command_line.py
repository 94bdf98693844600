"""Runs `manage.py instances`, in this process or as one of its own."""

import io
import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from django.core.management import CommandError, call_command

from tests.flows.processes import MANAGE, ROOT, environment


@dataclass(frozen=True)
class Ran:
    """What a command line printed, and how it ended."""

    out: str
    err: str
    code: int

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


def instances(*words: str) -> Ran:
    """Run `manage.py instances` in this process."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("instances", *words, stdout=out, stderr=err)
    except CommandError as error:
        return Ran(out.getvalue(), f"{err.getvalue()}{error}", error.returncode)
    except SystemExit as end:
        return Ran(out.getvalue(), err.getvalue(), int(str(end.code)))
    return Ran(out.getvalue(), err.getvalue(), 0)


def process(*words: str, stdin: int = subprocess.DEVNULL) -> Ran:
    """Run it as a process of its own, as a person does."""
    done = subprocess.run(
        [*MANAGE, "instances", *words],
        env=environment(),
        cwd=ROOT,
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.stdout, done.stderr, done.returncode)


def answered(answer: str, *words: str) -> Ran:
    """Run it on a terminal at which the answer was typed."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer.encode())
        return process(*words, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
