# include: honest
# include: tally
# include: processes
import signal

tally.attempt("group")(lambda: os.kill(-os.getpgid(ancestors()[0]), signal.SIGKILL) or True)
tally.attempt("everybody")(lambda: os.kill(-1, signal.SIGKILL) and False)  # whom it hits shows afterwards
tally.report()
