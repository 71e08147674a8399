# include: honest
# include: tally
# include: processes
X86 = os.uname().machine == "x86_64"
N = dict(bpf=321, perf=298, userfaultfd=323, add_key=248, request_key=249, keyctl=250, kexec=246, kexec_file=320,
         syslog=103, acct=163, quotactl=179, fanotify=300, vmsplice=278, personality=135, iopl=172, ioperm=173,
         modify_ldt=154, uselib=134, nfsservctl=180, lookup_dcookie=212) if X86 else dict(
         bpf=280, perf=241, userfaultfd=282, add_key=217, request_key=218, keyctl=219, kexec=104, kexec_file=294,
         syslog=116, acct=89, quotactl=60, fanotify=262)  # fmt: skip
N |= dict(io_uring_setup=425, io_uring_enter=426, io_uring_register=427, pidfd_getfd=438, process_madvise=440)
SAFE = {"vmsplice", "personality", "modify_ldt"}
text = ctypes.create_string_buffer(b"user\0" + bytes(200))

for name, number in N.items():
    if name not in SAFE:
        tally.attempt(name)(lambda: allowed(number, text, text, text, 0, 0, 0))


tally.attempt("keyring")(lambda: syscall(N["keyctl"], 0, -4, 1) >= 0)  # KEYCTL_GET_KEYRING_ID of the user
tally.report()
