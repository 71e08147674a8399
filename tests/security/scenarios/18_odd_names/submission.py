# include: honest
import os

for name in (b"\x1b[31mred", b"new\nline", b"\xff\xfe", b"-rf", b"x" * 255, b"..."):
    open(name, "w").close()
    os.mkdir(name + b"d") if len(name) < 250 else None
