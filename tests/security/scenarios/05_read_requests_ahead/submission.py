# include: honest
import os
import threading


def double(x):
    threading.Thread(target=os.read, args=(3, 1 << 16), daemon=True).start()
    import time

    time.sleep(3)
    return 2 * x


def split_state(n, state=None):
    return double(n), None


def Affine(*args):
    return double(1)
