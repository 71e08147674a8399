# include: honest
# include: tally
import socket
import subprocess
import sys

PROGRAM = "import socket; socket.create_connection(('127.0.0.1', @PORT@), 1); print('in')"

tally.attempt("tcp")(lambda: socket.create_connection(("127.0.0.1", int("@PORT@")), 1))
tally.attempt("program")(lambda: b"in" in subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True).stdout)
tally.attempt("bash")(lambda: subprocess.run(["bash", "-c", "echo > /dev/tcp/127.0.0.1/@PORT@"]).returncode == 0)
tally.attempt("listen")(lambda: socket.create_server(("127.0.0.1", 0)))
tally.report()
