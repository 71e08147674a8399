# include: honest
# include: tally
# include: processes
import subprocess


def becomes_root(*command):
    done = subprocess.run(command, capture_output=True, timeout=1, stdin=subprocess.DEVNULL)
    return b"uid=0" in done.stdout or b"euid=0" in done.stdout


tally.attempt("su")(lambda: becomes_root("su", "-c", "id"))
tally.attempt("sudo")(lambda: becomes_root("sudo", "-n", "id"))
tally.attempt("pkexec")(lambda: becomes_root("pkexec", "id"))
tally.attempt("newuidmap")(lambda: subprocess.run(["unshare", "-Ur", "id"], capture_output=True).returncode == 0)
# The call may say that it went well; what counts is whose the file is.
tally.attempt("chown")(
    lambda: os.chown(os.open("@MARKER@", os.O_CREAT | os.O_RDWR), 0, 0) or os.stat("@MARKER@").st_uid == 0
)
tally.report()
