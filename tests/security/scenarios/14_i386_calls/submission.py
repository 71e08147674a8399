# include: honest
import ctypes
import mmap
import os


def old_socket():
    # push rbx; mov eax, 359 (socket); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; pop rbx; ret
    code = bytes.fromhex("53 b867010000 bb02000000 b901000000 31d2 cd80 5b c3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


if os.uname().machine != "x86_64":
    os._exit(0)
if old_socket() >= 0:
    raise RuntimeError("HELD 0 ESCAPED [i386]")
else:
    os._exit(0)
