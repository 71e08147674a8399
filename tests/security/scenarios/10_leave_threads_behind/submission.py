# include: honest
import threading
import time


def idle():
    time.sleep(30)


def double(x):
    threading.Thread(target=idle).start()
    return 2 * x
