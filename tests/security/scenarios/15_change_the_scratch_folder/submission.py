# include: honest
import os

here = os.getcwd()
match "@VARIANT@":
    case "replace":
        os.chdir("/")
        try:
            os.rename(here, here + "-@MARKER@")
            os.symlink("@VICTIM@", here)
        except OSError:
            pass
    case "inside":
        os.symlink("@VICTIM@", "@MARKER@")
        os.symlink("@VICTIM@/kept.txt", "@MARKER@-file")
    case "many-links":
        for k in range(300):
            os.symlink("@STAGE@", f"@MARKER@-{k}")
    case "deep":
        os.makedirs("a/b/c")
        os.symlink("@VICTIM@", "a/b/c/d")
        os.symlink("a/b/c/d", "e")
