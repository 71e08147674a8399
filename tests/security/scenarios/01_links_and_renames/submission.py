# include: honest
# include: tally
# include: canary
import os

SOURCE = "@BUNDLE@/answers.txt"


def linked(make):
    def attempt():
        target = "@MARKER@-" + make.__name__
        make(SOURCE, target)
        return canaries(read(target))

    return attempt


tally.attempt("hardlink")(linked(os.link))
tally.attempt("symlink")(linked(os.symlink))
tally.attempt("exchange")(lambda: os.rename(SOURCE, "@MARKER@-renamed") or canaries(read("@MARKER@-renamed")))
# Changes of modes may seem to go well: the test compares them afterwards.
tally.attempt("chmod")(lambda: os.chmod("@BUNDLE@", 0o777))
tally.attempt("chdir")(lambda: os.chdir("@BUNDLE@") or canaries(read("answers.txt")))
tally.attempt("dirfd")(lambda: os.open("@BUNDLE@", os.O_RDONLY | os.O_DIRECTORY))
tally.attempt("scandir")(lambda: list(os.scandir("@STAGE@")))
tally.report()
