# include: honest
# include: tally
# include: processes
KEY = int("@MARKER@"[4:11], 16)
X86 = os.uname().machine == "x86_64"
SHMGET, SEMGET, MSGGET, MQ_OPEN, ADD_KEY = (29, 64, 68, 240, 248) if X86 else (194, 190, 186, 180, 217)
CREATE = 0o1000 | 0o666


def kept(number, *arguments):
    """Whether the object can be made at all: it would stay."""
    return syscall(number, *arguments) >= 0


tally.attempt("shm")(lambda: kept(SHMGET, KEY, 4096, CREATE))
tally.attempt("sem")(lambda: kept(SEMGET, KEY, 1, CREATE))
tally.attempt("msg")(lambda: kept(MSGGET, KEY, CREATE))
tally.attempt("mq")(lambda: kept(MQ_OPEN, ctypes.create_string_buffer(b"@MARKER@"), 0o102, 0o666, 0))
tally.attempt("key")(
    lambda: kept(
        ADD_KEY,
        ctypes.create_string_buffer(b"user"),
        ctypes.create_string_buffer(b"@MARKER@"),
        ctypes.create_string_buffer(b"x"),
        1,
        -4,
    )
)
tally.report()
