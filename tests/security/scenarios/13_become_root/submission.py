# include: honest
# include: tally
# include: processes
def in_child(call):
    pid = os.fork()
    if pid == 0:
        try:
            call()
            os._exit(7)
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1] >> 8 == 7


def status(name):
    with open("/proc/self/status") as file:
        return dict(line.split(":", 1) for line in file.read().splitlines())[name].strip()


tally.attempt("setuid")(lambda: in_child(lambda: os.setuid(0)))
tally.attempt("setresuid")(lambda: in_child(lambda: os.setresuid(0, 0, 0)))
tally.attempt("setgid")(lambda: in_child(lambda: os.setgid(0)))
tally.attempt("setgroups")(lambda: in_child(lambda: os.setgroups([0])))
tally.attempt("other-user")(lambda: in_child(lambda: os.setuid(int("@GRADER@") % 60000 + 1000)))
tally.attempt("root-id")(lambda: 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()))
tally.attempt("capabilities")(lambda: any(int(status(name), 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")))
tally.attempt("no_new_privs")(lambda: status("NoNewPrivs") != "1")
tally.attempt("unset")(lambda: libc.prctl(38, 0, 0, 0, 0) == 0)
tally.attempt("keepcaps")(lambda: libc.prctl(8, 1, 0, 0, 0) == 0 and False)
tally.report()
