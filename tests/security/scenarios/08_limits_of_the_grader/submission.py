# include: honest
# include: tally
# include: processes
import resource

for pid in ancestors():
    tally.attempt("prlimit")(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)))
    tally.attempt("prlimit-read")(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE))
    tally.attempt("priority")(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19) or True)
    tally.attempt("affinity")(lambda: os.sched_setaffinity(pid, {0}) or True)
    tally.attempt("scheduler")(lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)) or True)
    tally.attempt("oom")(lambda: open(f"/proc/{pid}/oom_score_adj", "w"))
    tally.attempt("clear_refs")(lambda: open(f"/proc/{pid}/clear_refs", "w"))


tally.report()
