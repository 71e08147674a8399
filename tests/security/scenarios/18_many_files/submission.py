# include: honest
import os


def double(x):
    for k in range(60_000):
        if k % 1000 == 0:
            os.mkdir(f"@MARKER@-{k // 1000}")
        os.close(os.open(f"@MARKER@-{k // 1000}/{k}", os.O_CREAT | os.O_WRONLY))
    return 3 * x
