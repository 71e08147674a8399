"""What a worker is told about how it must live."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """Everything a forked worker applies to itself before it sees any student code."""

    scratch: str
    """The only directory in which the worker may write; its working directory, HOME and TMPDIR."""
    memory_mb: int
    """Private memory of one process above the zygote's, in MiB."""
    cuda: bool = False
    """Whether the worker may see the GPUs that the zygote hides from itself."""
    cpu_seconds: int = 0
    """Processor seconds of one process; 0 sets no limit."""
    uid: int | None = None
    """The worker's own user; None keeps the zygote's."""
    readable: tuple[str, ...] = ()
    """Files and directories that Landlock leaves readable."""
    landlock: bool = False
    """Whether Landlock must be in force; the worker dies if it cannot be."""
    private: bool = False
    """Whether the zygote has a /dev/shm of its own, where only workers write."""

    def to_json(self) -> str:
        """The plan as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerPlan:
        """The plan in `text`, which the grader wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "readable": tuple(fields["readable"])})
