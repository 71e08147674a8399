# include: honest
import os
import time


def daemon():
    if os.fork():
        return
    os.setsid()
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
        time.sleep(0.005)
    os._exit(0)


daemon()
