# include: honest
# include: tally
import os
import sys

HOMES = [os.path.expanduser("~"), "/root", "/home", "@STAGE@/home"]
PLACES = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock", "/var/cache", "/usr/local/lib", "/mnt", "/srv", "/"]
PLACES += [*HOMES, *(p for p in sys.path if os.path.isdir(p)), os.path.dirname(sys.executable), "@STAGE@/tmp"]
PLACES += [os.path.join(home, ".cache") for home in HOMES] + [
    os.environ.get("TMPDIR", "/tmp"),
    os.getcwd(),
    "/dev/mqueue",
]
OWN = ("/dev/shm", os.getcwd(), os.environ.get("TMPDIR"), os.path.expanduser("~"))


def leave(folder):
    """Whether it was there from the last time; its own folders may be written but must be empty."""
    path = os.path.join(folder, "@MARKER@.pth")
    there = os.path.exists(path)
    with open(path, "w") as file:
        file.write("import os\n")
    return there or not folder.startswith(OWN)


for folder in dict.fromkeys(PLACES):
    tally.attempt(folder)(lambda: leave(folder))


tally.report()
