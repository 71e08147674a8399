# include: honest
import ctypes
import os
import signal
import sys


class Odd(BaseException):
    pass


def die():
    match "@VARIANT@":
        case "sys.exit":
            sys.exit(0)
        case "os._exit":
            os._exit(0)
        case "SystemExit":
            raise SystemExit(0)
        case "KeyboardInterrupt":
            raise KeyboardInterrupt
        case "BaseException":
            raise Odd
        case "GeneratorExit":
            raise GeneratorExit
        case "segfault":
            ctypes.string_at(0)
        case "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sigterm":
            os.kill(os.getpid(), signal.SIGTERM)
        case "abort":
            os.abort()
        case "bus":
            os.kill(os.getpid(), signal.SIGBUS)
        case "recursion":
            die()
        case "stack":
            sys.setrecursionlimit(10**9)
            nested = []
            for _ in range(1_000_000):
                nested = [nested]
            repr(nested)
        case "exec":
            os.execv("/bin/true", ["true"])


def double(x):
    die()
    return 2 * x
