# include: honest
import subprocess

for k in range(4):
    subprocess.Popen(["sh", "-c", "exec sleep 8 # @MARKER@"], start_new_session=k % 2 == 0)
    subprocess.Popen(["sh", "-c", "trap '' TERM HUP INT; sleep 8; : @MARKER@"], start_new_session=True)
