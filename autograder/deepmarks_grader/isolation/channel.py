"""The channel to a worker: one deadline a request, capped output, and a fresh worker after every death."""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from deepmarks import wire
from deepmarks.checks.errors import Broken, UnsureError
from deepmarks.checks.messages import Operation, Reply, ReplyError, Request, reply_from_data
from deepmarks.checks.outcomes import Cause
from deepmarks.checks.probes import Probes
from deepmarks.manifest import Limits
from deepmarks.submission import Submission, Unit
from deepmarks.submission.records import printable
from deepmarks_grader.isolation.exits import explain_exit
from deepmarks_grader.isolation.stopwatch import Stopwatch
from deepmarks_grader.isolation.supervisor import Worker, WorkerExit, Zygote

_LENGTH = struct.Struct("<I")
_NOTICE = 300
"""Characters of one notice."""
_TICK = 0.01
"""Seconds between two looks at the time when it is nearly over."""
_DISTURBED = "Your code disturbed the grading channel, so its answer was thrown away."
_START_SECONDS = 60.0
"""For a fresh worker to say that it is there: no student code runs yet."""
_MOST_RELOADS = 4
"""Units that may kill or stall the worker before the rest of the submission is given up."""


class Disturbed(Exception):  # noqa: N818
    """The worker's bytes are not a reply."""


class WorkerChannel:
    """A submission in isolated workers, as a `Channel`.

    The submission is executed unit by unit; a unit that stalls or kills the worker is left out the next time. Whatever
    happens to a worker is the outcome of the request at hand; the next request gets a fresh one. So does a request that
    may not know what an earlier one brought along: a stand-in is the answer to another question. With
    `fresh_per_question` each question gets a fresh worker, so that no question can prepare another's answers.
    """

    def __init__(
        self,
        zygote: Zygote,
        submission: Submission,
        probes: Probes,
        limits: Limits,
        device: str = "cpu",
        *,
        fresh_per_question: bool = False,
    ) -> None:
        self._zygote = zygote
        self._submission = submission
        self._probes = probes
        self._limits = limits
        self._device = device
        self._fresh_per_question = fresh_per_question
        self._worker: Worker | None = None
        self._output = bytearray()
        self._output_total = 0
        self._skipped: set[int] = set()
        self._timeouts: Counter[tuple[str, ...]] = Counter()
        self._question = ""
        self._question_used = 0.0
        self._used = 0.0
        self._unbilled = 0.0
        """Seconds of the submission's code that ran once more for the grader's reasons."""
        self._notices: dict[int, str] = {}
        self._loaded = False
        self._stand_ins: frozenset[str] = frozenset()
        """Those that the worker at hand has seen."""
        self._number = 0
        """Of the worker at hand, counted from 1."""
        self._renewed: set[int] = set()
        """Workers that ended for the grader's reasons."""
        self.left_out: list[str] = []
        """Those of the notices that tell of code which was not executed."""
        self.exits: list[WorkerExit] = []
        """How each worker ended."""

    @property
    def notices(self) -> list[str]:
        """What happened while the submission was executed, in the order of its units."""
        return [self._notices[index] for index in sorted(self._notices)]

    # ------------------------------------------------------------------ checks

    def begin(self, question: str, check: str) -> None:
        """Tell the channel which question the following requests belong to."""
        if question != self._question:
            if self._fresh_per_question and self._question:
                self.renew()
            self._question, self._question_used = question, 0.0

    def take_output(self) -> str:
        """What the worker printed since the last time, cut to the limit."""
        self._drain()
        text = bytes(self._output[: self._limits.output_kb << 10]).decode("utf-8", "replace")
        if self._output_total > len(self._output):
            text += "\n(more output was cut off)"
        self._output.clear()
        self._output_total = 0
        return text

    def request(self, request: Request) -> Reply:
        """The worker's reply; `Broken` if a limit fires, the worker dies or its reply is no reply."""
        part = self._probes.needed(request)
        stand_ins = frozenset[str]() if part is None else part.stand_ins
        if not self._stand_ins <= stand_ins:
            self.renew()
        elif stand_ins and not self._stand_ins and self._unbilled > self._limits.total_seconds:
            # Every stand-in asks for a fresh worker afterwards, which would have to execute the submission again.
            raise Broken(Cause.TIMEOUT, "The submission takes too long to be executed once more for this check.")
        self._ensure_worker()
        self._stand_ins |= stand_ins
        self._find_lost(request)
        seconds = min(
            self._call_limit(request.called),
            self._limits.question_seconds - self._question_used,
            self._limits.total_seconds - self._used,
        )
        if seconds <= 0:
            whole = self._used >= self._limits.total_seconds
            what = "the whole submission" if whole else "this question"
            raise Broken(Cause.TIMEOUT, f"The time for {what} was used up before this check.")
        return self._exchange(request, None if part is None else part.code, seconds)

    def renew(self) -> None:
        """Go on with a fresh worker, at no cost for the submission: neither time nor what it prints again."""
        if self._worker is not None:
            self._renewed.add(self._number)
        self.close()
        used, printed, total = self._used, len(self._output), self._output_total
        self._used = 0.0
        try:
            self._ensure_worker()
        finally:
            self._unbilled += self._used
            self._used = used
        self._drain()
        del self._output[printed:]
        self._output_total = total

    def _find_lost(self, request: Request) -> None:
        """Raise if `request` passes on an object that ended with its worker."""
        for opaque in _opaque_parts([request.args, request.kwargs, request.options]):
            if opaque.worker in self._renewed:
                raise UnsureError(f"the check calls {request.name} with an object from a call with other stand-ins")
            if opaque.worker != self._number:
                raise Broken(Cause.CRASH, "What your code returned was lost when a later call ended its process.")

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._worker is not None:
            self._drain()
            worker, self._worker = self._worker, None
            self._stand_ins = frozenset()
            self.exits.append(self._zygote.end(worker))

    def _call_limit(self, called: tuple[str, ...]) -> float:
        """Seconds for a call: a quarter after one time-out of the same; `Broken` after two.

        So an endless loop in one function leaves time for the questions that do not need it.
        """
        if self._timeouts[called] >= 2:
            raise Broken(Cause.TIMEOUT, "Your code did not finish in two earlier checks, so it was not called again.")
        return self._limits.call_seconds / (4 if self._timeouts[called] else 1)

    # ------------------------------------------------------------------- start

    def load(self) -> None:
        """Execute the submission now, so that its notices are known before the first check."""
        self._ensure_worker()

    def _ensure_worker(self) -> None:
        if self._worker is not None and self._spoke_unasked(self._worker):
            self.close()
        if self._worker is not None:
            return
        for _ in range(_MOST_RELOADS):
            if self._start():
                self._loaded = True
                return
        self._skipped.update(range(len(self._submission.units)))
        self._skip(len(self._submission.units), "The rest of the submission was not executed.")
        self._start()

    def _start(self) -> bool:
        """Start a worker and execute every unit that is not known to kill it; False if one more does."""
        self._worker = self._zygote.spawn(self._limits.memory_mb, self._limits.total_seconds)
        self._number += 1
        start = {"operation": "start", "device": self._device}
        self._exchange_raw({**start, "reply_limit": self._limits.reply_mb << 20}, _START_SECONDS)
        for index, unit in enumerate(self._submission.units):
            if index in self._skipped:
                continue
            if unit.error is not None:
                self._skip(index, unit.error)
                continue
            try:
                reply = self._exchange_raw(_unit_request(unit), self._unit_limit())
            except Broken as broken:
                self._skip(index, f"{unit.label}: {broken.sentence} It was left out.")
                return False
            if reply.failure is not None and not self._loaded:
                # Raising is harmless, and may depend on units before it: the unit stays. Once checks have run, what
                # the submission says while it is executed again could tell of their inputs.
                told = f"{unit.label}: {reply.failure.type_name}: {reply.failure.message}"
                self._notices[index] = printable(told, _NOTICE)
        return True

    def _skip(self, index: int, notice: str) -> None:
        self._skipped.add(index)
        self._notices[index] = notice
        self.left_out.append(notice)

    def _unit_limit(self) -> float:
        return max(0.1, min(self._limits.cell_seconds, self._limits.total_seconds - self._used))

    # --------------------------------------------------------------- exchanges

    def _exchange(self, request: Request, probes: bytes | None, seconds: float) -> Reply:
        before = self._used
        try:
            return self._exchange_raw({**request.to_data(), "probes": probes}, seconds)
        except Broken as broken:
            if broken.cause is Cause.TIMEOUT:
                self._timeouts[request.called] += 1
            raise
        finally:
            self._question_used += self._used - before

    def _exchange_raw(self, data: dict[str, Any], seconds: float) -> Reply:
        """Send one request and read one reply before the deadline; on any trouble the worker is ended."""
        assert self._worker is not None
        stopwatch = Stopwatch(self._worker.visible_pid)
        identity = secrets.randbits(62)
        try:
            frame = wire.encode({"id": identity, **data})
        except wire.NotDataError as error:
            # What checks send of their own is proved to be data; the rest came from the submission.
            raise Broken(
                Cause.PROTOCOL, "What your code returned cannot be passed on to it again.", str(error)
            ) from error
        try:
            answer = self._transfer(self._worker, _LENGTH.pack(len(frame)) + frame, seconds, stopwatch)
            limits = wire.WireLimits(frame=self._limits.reply_mb << 20)
            decoded = wire.decode(answer, limits, lambda opaque: replace(opaque, worker=self._number))
            if type(decoded) is not dict or type(decoded.get("id")) is not int or decoded["id"] != identity:
                raise Disturbed
            return reply_from_data(decoded.get("reply"))
        except (wire.WireError, ReplyError, Disturbed) as error:
            self.close()
            raise Broken(Cause.PROTOCOL, _DISTURBED, str(error)) from error
        except TimeoutError:
            self.close()
            raise Broken(Cause.TIMEOUT, f"Your code did not finish within {seconds:.3g} seconds.") from None
        except ConnectionError:
            raise self._died() from None
        finally:
            self._used += stopwatch.seconds()

    def _died(self) -> Broken:
        """The outcome of a worker that hung up."""
        self._drain()
        assert self._worker is not None
        status = self._zygote.exit_status(self._worker)
        self.close()
        return explain_exit(status.code, status.breach)

    def _transfer(self, worker: Worker, outgoing: bytes, seconds: float, stopwatch: Stopwatch) -> memoryview:
        """Send `outgoing` and receive one whole frame, reading the worker's output all the while.

        TimeoutError once the stopwatch passes `seconds`.
        """
        unsent = memoryview(outgoing)
        incoming = bytearray()
        wanted: int | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(worker.output, selectors.EVENT_READ)
            selector.register(worker.channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while True:
                remaining = seconds - stopwatch.seconds()
                if remaining <= 0:
                    raise TimeoutError
                for key, events in selector.select(max(remaining, _TICK)):
                    if key.fileobj == worker.output:
                        if not self._read_output(worker):
                            selector.unregister(worker.output)
                        continue
                    if events & selectors.EVENT_WRITE and unsent:
                        unsent = unsent[worker.channel.send(unsent) :]
                        if not unsent:
                            selector.modify(worker.channel, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        try:
                            chunk = worker.channel.recv(1 << 20)
                        except BlockingIOError:
                            raise Disturbed("the channel was readable with nothing to read") from None
                        if not chunk:
                            raise ConnectionError
                        incoming += chunk
                        if unsent:
                            raise Disturbed("a reply came before the request was sent")
                if wanted is None and len(incoming) >= _LENGTH.size:
                    (wanted,) = _LENGTH.unpack_from(incoming)
                    if wanted > self._limits.reply_mb << 20:
                        raise Disturbed("the reply is larger than allowed")
                if wanted is not None and len(incoming) >= _LENGTH.size + wanted:
                    if len(incoming) > _LENGTH.size + wanted:
                        raise Disturbed("more came than one reply")
                    return memoryview(incoming)[_LENGTH.size :]

    def _spoke_unasked(self, worker: Worker) -> bool:
        """Whether the worker has sent something, or hung up, since its last reply."""
        try:
            worker.channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    # ------------------------------------------------------------------ output

    def _read_output(self, worker: Worker) -> bool:
        """Read what the worker printed, keep it up to the limit; False at its end."""
        try:
            chunk = os.read(worker.output, 1 << 16)
        except BlockingIOError:
            return True
        room = (self._limits.output_kb << 10) - len(self._output)
        if room > 0:
            self._output += chunk[:room]
        self._output_total += len(chunk)
        return bool(chunk)

    def _drain(self) -> None:
        """Read what lies in the pipe now, but no more than a pipe holds: a worker may print for ever."""
        if self._worker is None:
            return
        for _ in range(16):
            before = self._output_total
            if not self._read_output(self._worker) or self._output_total == before:
                return


def _unit_request(unit: Unit) -> dict[str, Any]:
    return Request(Operation.RUN_UNIT, unit.label, options={"unit": asdict(unit)}).to_data()


def _opaque_parts(value: Any) -> Iterator[wire.Opaque]:
    if isinstance(value, wire.Opaque):
        yield value
    elif isinstance(value, dict):
        yield from _opaque_parts(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _opaque_parts(item)
