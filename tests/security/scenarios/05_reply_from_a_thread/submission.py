# include: honest
# include: frames
import threading
import time


def spam():
    for _ in range(20_000):
        send_raw(frame(reply(None, identity=7)))
        time.sleep(0.0005)


def double(x):
    threading.Thread(target=spam, daemon=True).start()
    time.sleep(0.1)
    return 2 * x


def split_state(n, state=None):
    return double(n), None


def Affine(*args):
    return double(1)
