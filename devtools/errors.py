"""What `./dev` says when it cannot go on."""

from __future__ import annotations


class DevError(Exception):
    """Something the person at the keyboard can put right; the text says how."""


class CommandError(DevError):
    """A program that was started for a step ended with an error; ``output`` is its last lines."""

    def __init__(self, message: str, *, output: str) -> None:
        super().__init__(f"{message}\n{output}".rstrip())
        self.output = output


class StopRequested(BaseException):
    """SIGTERM or SIGHUP arrived while something was being prepared."""
