# include: honest
# include: tally
# include: processes
X86 = os.uname().machine == "x86_64"
N = dict(unshare=272, clone=56, setns=308, mount=165, umount=166, pivot_root=155, chroot=161, open_by_handle=304,
         name_to_handle=303, mknod=133, swapon=167, sethostname=170, init_module=175) if X86 else dict(
         unshare=97, clone=220, setns=268, mount=40, umount=39, pivot_root=41, chroot=51, open_by_handle=265,
         name_to_handle=264, swapon=224, sethostname=161, init_module=105)  # fmt: skip
NEW = dict(user=0x10000000, pid=0x20000000, net=0x40000000, mount=0x00020000, ipc=0x08000000, cgroup=0x02000000,
           time=0x00000080, uts=0x04000000)  # fmt: skip


def in_child(call):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(1 if call() else 0)
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1] >> 8


text = ctypes.create_string_buffer(b"/tmp")
for name, flag in NEW.items():
    tally.attempt(f"unshare:{name}")(lambda: in_child(lambda: syscall(N["unshare"], flag) >= 0))


def cloned(flag):
    pid = syscall(N["clone"], flag | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)
    return pid > 0


tally.attempt("clone")(lambda: cloned(NEW["user"]))
tally.attempt("clone3")(lambda: syscall(435, ctypes.create_string_buffer(64), 64) not in (-1, -38))
tally.attempt("mount")(lambda: in_child(lambda: syscall(N["mount"], text, text, text, 4096, 0) >= 0))
tally.attempt("umount")(lambda: allowed(N["umount"], ctypes.create_string_buffer(b"/nowhere"), 0))
tally.attempt("chroot")(lambda: in_child(lambda: syscall(N["chroot"], text) >= 0))
tally.attempt("pivot_root")(lambda: allowed(N["pivot_root"], text, text))
tally.attempt("fsopen")(lambda: syscall(430, ctypes.create_string_buffer(b"tmpfs"), 0) >= 0)
tally.attempt("open_tree")(lambda: syscall(428, -100, text, 1) >= 0)
tally.attempt("mount_setattr")(lambda: allowed(442, -100, text, 0, ctypes.create_string_buffer(32), 32))
tally.attempt("open_by_handle")(lambda: allowed(N["open_by_handle"], -100, text, 0))
tally.attempt("device")(lambda: os.mknod("@MARKER@-sda", 0o60666, os.makedev(8, 0)) or True)
tally.attempt("hostname")(lambda: in_child(lambda: syscall(N["sethostname"], text, 4) >= 0))
tally.attempt("module")(lambda: allowed(N["init_module"], text, 4, text))
tally.report()
