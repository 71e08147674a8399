"""The system-call filter does what its rules say, on both architectures, as libseccomp would have it."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import struct
import sys
import tempfile

import pytest

from deepmarks_grader.isolation.seccomp import (
    _NOT_IMPLEMENTED,
    _NOT_PERMITTED,
    ALLOW,
    KILL,
    Instruction,
    build_filter,
    refuse,
)
from deepmarks_grader.isolation.syscalls import ARCHITECTURES, AUDIT_NUMBERS, LAST_KNOWN, numbers

GRADER, ZYGOTE = 4242, 4243
WITH_ARGUMENTS = "socket socketpair prctl personality clone ioctl sendto sendmsg sendmmsg".split()
ACT_ERRNO, ACT_ALLOW = 0x00050000, 0x7FFF0000


def verdict(
    program: list[Instruction], architecture: str, number: int, *arguments: int, audit: int | None = None
) -> int:
    """What the kernel would answer: an interpreter of the classic BPF that filters are made of."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    arch = AUDIT_NUMBERS[architecture] if audit is None else audit
    data = struct.pack("<IIQ6Q", number, arch, 0, *(value & (1 << 64) - 1 for value in padded))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x15:
                at += if_true if accumulator == constant else if_false
            case 0x35:
                at += if_true if accumulator >= constant else if_false
            case 0x25:
                at += if_true if accumulator > constant else if_false
            case 0x45:
                at += if_true if accumulator & constant else if_false
            case 0x54:
                accumulator &= constant
            case 0x05:
                at += constant
            case 0x06:
                return constant
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


def existing(architecture: str) -> dict[str, int]:
    return {name: number for name, number in numbers(architecture).items() if number >= 0}


@pytest.fixture(params=ARCHITECTURES)
def architecture(request) -> str:
    return request.param


@pytest.fixture
def program(architecture) -> list[Instruction]:
    return build_filter(architecture, [GRADER, ZYGOTE])


def test_the_program_is_one_that_the_kernel_accepts(program):
    assert len(program) < 4096
    for at, (code, if_true, if_false, constant) in enumerate(program):
        assert 0 <= if_true < 256
        assert 0 <= if_false < 256
        assert 0 <= constant < 1 << 32
        if code in (0x15, 0x35, 0x45):
            assert at + 1 + max(if_true, if_false) < len(program)
    assert program[-1][0] == 0x06


def test_each_number_gets_the_verdict_of_its_rule(architecture, program):
    known = existing(architecture)
    denied = {known[name]: refuse(errno.EPERM) for name in _NOT_PERMITTED if name in known}
    denied |= {known[name]: refuse(errno.ENOSYS) for name in _NOT_IMPLEMENTED if name in known}
    with_arguments = {known[name] for name in WITH_ARGUMENTS if name in known}
    for number in range(LAST_KNOWN + 1):
        if number not in with_arguments:
            assert verdict(program, architecture, number) == denied.get(number, ALLOW), number
    for number in (LAST_KNOWN + 1, 1000, 0x3FFFFFFF):
        assert verdict(program, architecture, number) == refuse(errno.ENOSYS)


def test_arguments(architecture, program):
    known = existing(architecture)

    def ask(name: str, *arguments: int) -> int:
        return verdict(program, architecture, known[name], *arguments)

    assert ask("socket", 1, 1) == ALLOW
    assert ask("socket", 2, 1) == ask("socket", 10, 2) == refuse(errno.EACCES)
    assert ask("socket", 1 << 32 | 2, 1) == refuse(errno.EACCES)  # the kernel looks at the lower half too
    assert ask("socket", 16, 3) == ask("socket", 38, 5) == ask("socket", 40, 1) == refuse(errno.EAFNOSUPPORT)
    assert ask("clone", 0x01200011) == ask("clone", 0x3D0F00) == ALLOW
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask("clone", flag | 17) == refuse(errno.EPERM)
    assert ask("ioctl", 1, 0x5401) == ALLOW
    assert ask("ioctl", 1, 0x5412) == ask("ioctl", 1, 1 << 32 | 0x541C) == refuse(errno.EPERM)
    for name in ("kill", "tkill", "tgkill", "prlimit64", "sched_setaffinity", "rt_sigqueueinfo", "move_pages"):
        assert ask(name, GRADER, 9) == ask(name, ZYGOTE, 9) == refuse(errno.EPERM)
        assert ask(name, 77, 9) == ask(name, 0, 9) == ALLOW
    assert ask("kill", -GRADER, 9) == refuse(errno.EPERM)
    assert ask("setpriority", 0, GRADER, 19) == refuse(errno.EPERM)
    assert ask("prctl", 4, 0) == refuse(errno.EPERM)
    assert ask("prctl", 4, 1) == ask("prctl", 15, 0) == ALLOW
    assert ask("sendto", 3, 0, 1, 1) == ask("sendmsg", 3, 0, 0x4001) == refuse(errno.EOPNOTSUPP)
    assert ask("sendto", 3, 0, 1, 0x4000) == ALLOW
    assert ask("personality", 0xFFFFFFFF) == ALLOW
    assert ask("personality", 0x0040000) == refuse(errno.EPERM)


def test_a_worker_with_the_graders_user(architecture):
    program = build_filter(architecture, [GRADER], shares_user=True, shares_files=True)
    known = existing(architecture)
    assert verdict(program, architecture, known["kill"], -1, 9) == refuse(errno.EPERM)
    assert verdict(program, architecture, known["fchmodat"], 0) == refuse(0)
    assert verdict(program, architecture, known["fchown"], 0) == refuse(0)


def test_a_grader_that_is_process_1_of_its_container(architecture):
    program = build_filter(architecture, [1])
    number = existing(architecture)["kill"]
    assert verdict(program, architecture, number, 1, 9) == refuse(errno.EPERM)
    assert verdict(program, architecture, number, -1, 9) == ALLOW  # how the zygote ends all processes of a user


def test_other_architectures_are_killed(architecture, program):
    for audit in (0x40000003, 0xC000003E, 0xC00000B7, 0x40000028, 0):
        if audit != AUDIT_NUMBERS[architecture]:
            assert verdict(program, architecture, 1, audit=audit) == KILL
    if architecture == "x86_64":
        assert verdict(program, architecture, 0x40000001) == KILL


@pytest.fixture(scope="module")
def libseccomp() -> ctypes.CDLL:
    name = ctypes.util.find_library("seccomp")
    if name is None:
        pytest.skip("libseccomp is not installed")
    library = ctypes.CDLL(name)
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def test_numbers_are_those_of_libseccomp(libseccomp, architecture):
    resolve = libseccomp.seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    compared = 0
    for name, number in existing(architecture).items():
        theirs = resolve(AUDIT_NUMBERS[architecture], name.encode())
        if theirs >= 0:  # an older libseccomp does not know the newest
            assert theirs == number, name
            compared += 1
    assert compared > 80


def test_verdicts_are_those_of_a_filter_that_libseccomp_makes(libseccomp, architecture, program):
    """The rules without arguments, once more through an independent assembler."""
    known = existing(architecture)
    context = ctypes.c_void_p(libseccomp.seccomp_init(ctypes.c_uint32(ACT_ALLOW)))
    token = AUDIT_NUMBERS[architecture]
    native = libseccomp.seccomp_arch_native()
    if token != native & 0xFFFFFFFF:
        assert libseccomp.seccomp_arch_add(context, ctypes.c_uint32(token)) == 0
        assert libseccomp.seccomp_arch_remove(context, ctypes.c_uint32(native)) == 0
    for names, code in ((_NOT_PERMITTED, errno.EPERM), (_NOT_IMPLEMENTED, errno.ENOSYS)):
        for name in names:
            number = libseccomp.seccomp_syscall_resolve_name(name.encode())
            if name in known and number != -1:
                action = ctypes.c_uint32(ACT_ERRNO | code)
                added = libseccomp.seccomp_rule_add(context, action, ctypes.c_int(number), ctypes.c_uint(0))
                assert added == 0, name
    with tempfile.TemporaryFile() as file:
        assert libseccomp.seccomp_export_bpf(context, ctypes.c_int(file.fileno())) == 0
        file.seek(0)
        theirs = [(c, t, f, k) for c, t, f, k in struct.iter_unpack("=HBBI", file.read())]
    libseccomp.seccomp_release(context)
    late = {known[name] for name in known if known[name] > 450}
    with_arguments = {known[name] for name in WITH_ARGUMENTS}
    for number in set(range(LAST_KNOWN)) - with_arguments - late:
        assert verdict(program, architecture, number) == verdict(theirs, architecture, number), number


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
def test_the_kernel_loads_it():
    from deepmarks_grader.isolation import linux, seccomp

    program = build_filter(linux.ARCHITECTURE)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
            seccomp.install(program)
            try:
                linux.syscall(numbers(linux.ARCHITECTURE)["unshare"], 0x10000000)
            except PermissionError:
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
