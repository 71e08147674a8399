# include: honest
# include: tally
# include: canary
import ctypes
import os
import time

libc = ctypes.CDLL(None)
CHUNK = 1 << 16


def scan():
    inlet, outlet = os.pipe()
    os.set_blocking(outlet, False)
    found, deadline = [], time.monotonic() + 1.1
    centre = id(tally) & ~(CHUNK - 1)
    for distance in range(0, 1 << 30, CHUNK):
        for address in (centre + distance, centre - distance):
            if libc.write(outlet, ctypes.c_void_p(address), CHUNK) > 0:
                found += canaries(os.read(inlet, CHUNK))
        if time.monotonic() > deadline:
            break
    return found


tally.attempt("pipe")(scan)
tally.report()
