# include: honest
import os
import re
import signal
import subprocess
import threading
import time


def double(x):
    match "@VARIANT@":
        case "busy":
            while True:
                pass
        case "sleep":
            time.sleep(1000)
        case "ignore-signals":
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            for number in (signal.SIGTERM, signal.SIGXCPU, signal.SIGALRM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            while True:
                pass
        case "big-power":
            return 7 ** (7**12)
        case "regex":
            return re.match(r"(a*)*b", "a" * 40)
        case "stop-itself":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sort":
            return sum(range(10**12))
        case "native":
            return torch.randn(3000, 3000).matrix_power(10**9)
        case "subprocess":
            subprocess.run(["sleep", "8"])
        case "wait":
            os.read(os.pipe()[0], 1)
        case "catch-everything":
            while True:
                try:
                    while True:
                        time.sleep(1)
                except BaseException:
                    pass
        case "deadlock":
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
