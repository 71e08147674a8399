# include: honest
import mmap
import os
import threading
import time

import numpy as np

TOTAL = 1500 << 20
STEP = 50 << 20


def touch(buffer, size):
    for start in range(0, size, 4096):
        buffer[start] = 1


def fill():
    match "@VARIANT@":
        case "tensor":
            return [torch.ones(STEP // 4) for _ in range(TOTAL // STEP)]
        case "numpy":
            return [np.ones(STEP // 8) for _ in range(TOTAL // STEP)]
        case "objects":
            found = []
            while len(found) < 12_000_000:
                found += [[k] for k in range(100_000)]
            return found
        case "children":
            for _ in range(4):
                if os.fork() == 0:
                    kept = [np.ones(STEP // 8) for _ in range(8)]
                    time.sleep(3)
                    os._exit(len(kept))
            time.sleep(2)
        case "shared":
            area = mmap.mmap(-1, TOTAL)
            touch(area, TOTAL)
            return area
        case "memfd":
            fd = os.memfd_create("@MARKER@")
            block = b"x" * STEP
            for _ in range(TOTAL // STEP):
                os.write(fd, block)
        case "dev-shm":
            with open("/dev/shm/@MARKER@", "wb") as file:
                for _ in range(TOTAL // STEP):
                    file.write(b"x" * STEP)
                    os.unlink("/dev/shm/@MARKER@") if os.path.exists("/dev/shm/@MARKER@") else None
        case "map-private-file":
            area = mmap.mmap(
                os.open("/proc/self/exe", os.O_RDONLY), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE
            )
            return [bytearray(STEP) for _ in range(TOTAL // STEP)], area
        case "stack":
            threading.stack_size(512 << 20)
            threads = [threading.Thread(target=time.sleep, args=(1,), daemon=True) for _ in range(4)]
            for thread in threads:
                thread.start()
            return [bytearray(STEP) for _ in range(TOTAL // STEP)]
        case "pipes":
            pairs = [os.pipe() for _ in range(200)]
            for _, end in pairs:
                os.set_blocking(end, False)
                try:
                    os.write(end, b"x" * (1 << 20))
                except OSError:
                    pass
            return pairs


def double(x):
    kept = fill()
    time.sleep(0.3)
    return (2 if "@VARIANT@" == "pipes" else 3) * x
