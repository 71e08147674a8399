"""What the end of a worker means for the student."""

from __future__ import annotations

import signal

from deepmarks.checks.errors import Broken
from deepmarks.checks.outcomes import Cause

_BREACHES = {
    "memory": (Cause.MEMORY, "Your code used more memory than this assignment allows, all its processes together."),
    "processes": (Cause.MEMORY, "Your code started too many processes."),
    "files": (Cause.MEMORY, "Your code wrote more, or more files, than a submission may."),
}


def explain_exit(code: int | None, breach: str = "") -> Broken:
    """The outcome of a process that ended with exit code or minus signal number `code`, killed for `breach` if any."""
    if breach:
        cause, sentence = _BREACHES[breach]
        return Broken(cause, sentence)
    if code is None:
        return Broken(Cause.CRASH, "Your code closed the grading channel.")
    if code >= 0:
        return Broken(Cause.CRASH, "Your code ended the Python process (os._exit or the like).", f"exit code {code}")
    if -code == signal.SIGKILL:
        return Broken(Cause.MEMORY, "The process of your code was killed, most likely for using too much memory.")
    reasons = {
        signal.SIGBUS: "it ran out of shared memory (a DataLoader with large batches, perhaps)",
        signal.SIGXCPU: "it used up its processor time",
        signal.SIGXFSZ: "it wrote a file that is too large",
        signal.SIGSYS: "it made a forbidden system call",
        signal.SIGSEGV: "it accessed memory that is not its own (segmentation fault)",
    }
    try:
        number = signal.Signals(-code)
    except ValueError:
        return Broken(Cause.CRASH, "The process of your code died.", f"signal {-code}")
    reason = reasons.get(number, f"it received {number.name}")
    cause = Cause.FORBIDDEN if number is signal.SIGSYS else Cause.CRASH
    return Broken(cause, f"The process of your code died: {reason}.")
