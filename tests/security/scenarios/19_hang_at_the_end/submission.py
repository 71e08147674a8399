# include: honest
import atexit
import threading
import time


class Slow:
    def __del__(self):
        time.sleep(100)


keep = Slow()
atexit.register(time.sleep, 100)
threading.Thread(target=time.sleep, args=(100,)).start()
