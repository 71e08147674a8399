# include: honest
import os


def double(x):
    match "@VARIANT@":
        case "sparse":
            os.truncate(os.open("@MARKER@", os.O_CREAT | os.O_RDWR), 10 << 30)
        case "fallocate":
            os.posix_fallocate(os.open("@MARKER@", os.O_CREAT | os.O_RDWR), 0, 1 << 30)
        case "real":
            with open("@MARKER@", "wb", 0) as file:
                for _ in range(100):
                    if file.write(b"x" * (10 << 20)) < 10 << 20:
                        raise OSError("cut")
        case "several":
            for k in range(4):
                with open(f"@MARKER@-{k}", "wb", 0) as file:
                    for _ in range(30):
                        file.write(b"x" * (10 << 20))
    return 3 * x
