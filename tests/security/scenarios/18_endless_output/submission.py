# include: honest
import os
import subprocess
import sys
import time


def double(x):
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        match "@VARIANT@":
            case "stdout":
                print("x" * 1000)
            case "stderr":
                print("x" * 1000, file=sys.stderr)
            case "line":
                sys.stdout.write("x" * (1 << 20))
            case "raw":
                os.write(1, b"x" * (1 << 16))
            case "child":
                subprocess.run(["sh", "-c", "yes @MARKER@ | head -c 10000000"])
            case "silent-bytes":
                os.write(1, bytes(1 << 16))
    return 3 * x
