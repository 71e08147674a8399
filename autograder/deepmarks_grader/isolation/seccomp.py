"""The system-call filter: a small assembler for the kernel's classic BPF, and the rules.

A list of what is forbidden, since what torch and the standard library need cannot be listed for every machine; calls
newer than the table are answered as not implemented, which is what programs expect of an older kernel.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping, Sequence

from deepmarks_grader.isolation import linux
from deepmarks_grader.isolation.syscalls import AUDIT_NUMBERS, LAST_KNOWN, numbers

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant: `struct sock_filter`."""

_LOAD, _RETURN, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x20, 0x06, 0x05, 0x15, 0x35, 0x45
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000
_MOST_JUMPED = 255
_MODE_FILTER = 2

ALLOW = 0x7FFF0000
KILL = 0x80000000


def refuse(code: int) -> int:
    """The verdict "fail with errno `code`"; 0 pretends that the call succeeded."""
    return 0x00050000 | code


_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_MSG_OOB = 1
_PR_SET_DUMPABLE = 4
_PERSONALITY_QUERY = 0xFFFFFFFF
_EVERYBODY = 0xFFFFFFFF
"""The process number -1."""

_NOT_PERMITTED = """
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_open pidfd_getfd
    pidfd_send_signal unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick
    mount_setattr swapon swapoff keyctl add_key request_key bpf perf_event_open userfaultfd io_uring_setup
    io_uring_enter io_uring_register kexec_load kexec_file_load init_module finit_module delete_module create_module
    get_kernel_syms query_module reboot acct quotactl quotactl_fd nfsservctl iopl ioperm modify_ldt uselib ustat sysfs
    _sysctl syslog settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname name_to_handle_at
    open_by_handle_at lookup_dcookie fanotify_init fanotify_mark vhangup statmount listmount lsm_set_self_attr
""".split()
_NOT_IMPLEMENTED = "clone3 shmget msgget semget mq_open memfd_create memfd_secret".split()
"""clone3 hides its flags from the filter, and libc falls back to clone. The others make objects that outlive their
process or that no limit counts."""
_PRETENDED = """
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr
    fremovexattr utime utimes utimensat futimesat
""".split()
"""What a worker with the grader's own uid could spoil: Landlock does not guard modes, owners and times."""
_PROCESS_ARGUMENT = {
    **dict.fromkeys(("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "prlimit64"), 0),
    **dict.fromkeys(("sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr"), 0),
    **dict.fromkeys(("migrate_pages", "move_pages"), 0),
    **dict.fromkeys(("setpriority", "ioprio_set"), 1),
}
"""Calls that name another process, and which argument does."""


def build_filter(
    architecture: str, protected: Sequence[int] = (), *, shares_user: bool = False, shares_files: bool = False
) -> list[Instruction]:
    """The filter's program; KeyError if the architecture is unknown.

    `protected` are processes that no call may name. With `shares_user` the worker has the same uid as the grader, so
    signals to everybody are refused. With `shares_files` it also sees the grader's files: then changes of modes, owners
    and times have no effect.
    """
    known = numbers(architecture)
    leaves: dict[int, list[Instruction]] = {}

    def rule(names: Sequence[str], leaf: list[Instruction]) -> None:
        leaves.update({known[name]: leaf for name in names if known[name] >= 0})

    rule(_NOT_PERMITTED, [_end(refuse(errno.EPERM))])
    rule(_NOT_IMPLEMENTED, [_end(refuse(errno.ENOSYS))])
    families = {_AF_UNIX: ALLOW, _AF_INET: refuse(errno.EACCES), _AF_INET6: refuse(errno.EACCES)}
    rule(["socket", "socketpair"], _switch(0, families, refuse(errno.EAFNOSUPPORT)))
    rule(["clone"], _unless_bits(0, _NAMESPACE_FLAGS, refuse(errno.EPERM)))
    rule(["ioctl"], _switch(1, dict.fromkeys((_TIOCSTI, _TIOCLINUX), refuse(errno.EPERM)), ALLOW))
    rule(["personality"], _switch(0, {0: ALLOW, _PERSONALITY_QUERY: ALLOW}, refuse(errno.EPERM)))
    # In a container the grader may be process 1: then -1 is no group but everybody, which a user of its own bounds.
    groups = [-number & _EVERYBODY for number in protected if number != 1]
    named = dict.fromkeys([*protected, *groups, *([_EVERYBODY] if shares_user else [])], refuse(errno.EPERM))
    for name, argument in _PROCESS_ARGUMENT.items():
        rule([name], _switch(argument, named, ALLOW))
    rule(["prctl"], _stay_measurable())
    # An urgent byte would make the grading channel readable without anything to read.
    for name, argument in {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}.items():
        rule([name], _unless_bits(argument, _MSG_OOB, refuse(errno.EOPNOTSUPP)))
    if shares_files:
        rule(_PRETENDED, [_end(refuse(0))])
    leaves[LAST_KNOWN + 1] = [_end(refuse(errno.ENOSYS))]
    if architecture == "x86_64":
        leaves[_X32_BIT] = [_end(KILL)]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, AUDIT_NUMBERS[architecture]),
        _end(KILL),
        (_LOAD, 0, 0, _NUMBER),
        *_tree(_intervals(leaves)),
    ]


def install(program: Sequence[Instruction]) -> None:
    """Bind this process and its descendants to `program`, for good; needs no_new_privs. OSError if refused."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = (ctypes.c_uint64 * 2)(len(program), ctypes.addressof(buffer))
    linux.prctl(linux.PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(header))


def _end(verdict: int) -> Instruction:
    return (_RETURN, 0, 0, verdict)


def _load_argument(index: int) -> Instruction:
    """The lower half of an argument, which is all that the kernel looks at for the calls here (little endian)."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _switch(argument: int, verdicts: Mapping[int, int], otherwise: int) -> list[Instruction]:
    code = [_load_argument(argument)]
    for value, verdict in verdicts.items():
        code += [(_IF_EQUAL, 0, 1, value), _end(verdict)]
    return [*code, _end(otherwise)]


def _unless_bits(argument: int, bits: int, verdict: int) -> list[Instruction]:
    return [_load_argument(argument), (_IF_ANY_BIT, 0, 1, bits), _end(verdict), _end(ALLOW)]


def _stay_measurable() -> list[Instruction]:
    """`prctl(PR_SET_DUMPABLE, 0)` would hide a process's memory from the zygote, which keeps count of it."""
    return [
        _load_argument(0),
        (_IF_EQUAL, 1, 0, _PR_SET_DUMPABLE),
        _end(ALLOW),
        _load_argument(1),
        (_IF_EQUAL, 0, 1, 0),
        _end(refuse(errno.EPERM)),
        _end(ALLOW),
    ]


def _intervals(leaves: Mapping[int, list[Instruction]]) -> list[tuple[int, list[Instruction]]]:
    """Where each run of numbers with one leaf begins; numbers between rules are allowed."""
    allow = [_end(ALLOW)]
    runs: list[tuple[int, list[Instruction]]] = [(0, allow)]

    def begin(number: int, leaf: list[Instruction]) -> None:
        if runs[-1][0] == number:
            runs.pop()
        if not runs or runs[-1][1] != leaf:
            runs.append((number, leaf))

    for number in sorted(leaves):
        begin(number, leaves[number])
        if number <= LAST_KNOWN:
            begin(number + 1, allow)
    return runs


def _tree(runs: Sequence[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """A binary search for the number in the accumulator: ten comparisons instead of a hundred."""
    if len(runs) == 1:
        return runs[0][1]
    middle = len(runs) // 2
    lower, upper = _tree(runs[:middle]), _tree(runs[middle:])
    pivot = runs[middle][0]
    if len(lower) <= _MOST_JUMPED:
        return [(_IF_AT_LEAST, len(lower), 0, pivot), *lower, *upper]
    return [(_IF_AT_LEAST, 0, 1, pivot), (_JUMP, 0, 0, len(lower)), *lower, *upper]
