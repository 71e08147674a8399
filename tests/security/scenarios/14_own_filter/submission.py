# include: honest
# include: tally
# include: processes
SECCOMP_SET_MODE_FILTER, NEW_LISTENER = 1, 8


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


code = ctypes.create_string_buffer(bytes.fromhex("0600000000 00ff7f".replace(" ", "")))
number = 317 if os.uname().machine == "x86_64" else 277
# An allow-all filter cannot loosen the one that is there.
libc.prctl(38, 1, 0, 0, 0)
program = Program(1, ctypes.addressof(code))
syscall(number, SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(program))
import socket

tally.attempt("loosened")(lambda: socket.socket(socket.AF_INET))
tally.report()
