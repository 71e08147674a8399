import os
import resource


def layers():
    """The layers around this process, by their names in expected.toml."""

    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines())
    found = []
    if status["NoNewPrivs"].strip() == "1":
        found.append("no_new_privs")
    if status["Seccomp"].strip() == "2":
        found.append("seccomp")
    try:
        grader = os.stat(f"/proc/{os.getppid()}").st_uid
    except OSError:
        grader = -1
    if os.getuid() != grader:
        found.append("uid")
    try:
        os.close(os.open("@BUNDLE@/answers.txt", os.O_RDONLY))  # its mode lets everybody read it
    except OSError:
        found.append("landlock")
    if resource.getrlimit(resource.RLIMIT_NPROC)[0] < 5000:
        found.append("nproc")
    try:
        os.kill(os.getppid(), 0)
    except OSError:
        found.append("signals")
    return found


raise RuntimeError("LAYERS " + " ".join(layers()))


def double(x):
    return 2 * x
