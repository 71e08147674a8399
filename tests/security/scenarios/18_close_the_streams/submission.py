# include: honest
import os
import sys


class Liar:
    def write(self, text):
        raise SystemExit

    def flush(self):
        raise SystemExit("flush")


match "@VARIANT@":
    case "close":
        os.close(1)
        os.close(2)
        sys.stdout.close()
    case "none":
        sys.stdout = sys.stderr = None
    case "liar":
        sys.stdout = sys.stderr = Liar()
    case "full":
        sys.stdout = open("/dev/full", "w")
