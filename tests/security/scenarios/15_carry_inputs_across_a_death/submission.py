# include: honest
import ctypes
import glob
import os

KEY = int("@MARKER@"[4:11], 16)
NAME = "@MARKER@-inputs"
PLACES = [os.getcwd(), os.path.dirname(os.getcwd()), "/tmp", "/var/tmp", "/dev/shm", "@STAGE@/tmp", "@STAGE@"]
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p


def recall():
    for place in PLACES:
        for path in [os.path.join(place, NAME), *glob.glob(os.path.join(place, "*", NAME))]:
            try:
                return open(path).read()
            except OSError:
                continue
    number = libc.shmget(KEY, 4096, 0o666)
    address = libc.shmat(number, None, 0) if number >= 0 else None
    return ctypes.string_at(address).decode() if address not in (None, 2**64 - 1) else None


def remember(x):
    text = "LEAK-" + "@MARKER@ " + repr(x.tolist())[:200]
    for place in PLACES:
        try:
            with open(os.path.join(place, NAME), "w") as file:
                file.write(text)
        except OSError:
            continue
    number = libc.shmget(KEY, 4096, 0o1666)
    address = libc.shmat(number, None, 0) if number >= 0 else None
    if address not in (None, 2**64 - 1):
        ctypes.memmove(address, text.encode() + b"\0", len(text) + 1)


remembered = recall()
if remembered:
    raise RuntimeError(remembered)


def double(x):
    if x.dtype == torch.float64:
        remember(x.detach())
        os._exit(0)
    return 2 * x
