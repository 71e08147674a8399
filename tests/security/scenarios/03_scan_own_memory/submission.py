# include: honest
# include: tally
# include: canary
import ctypes


def regions():
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, mode = line.split()[:2]
            if mode.startswith("r") and "[v" not in line:
                start, end = (int(part, 16) for part in span.split("-"))
                yield start, end


def scan_file():
    found = []
    with open("/proc/self/mem", "rb", 0) as memory:
        for start, end in regions():
            memory.seek(start)
            found += canaries(memory.read(min(end - start, 64 << 20)))
    return found


def scan_pointers():
    return [c for start, end in regions() for c in canaries(ctypes.string_at(start, min(end - start, 64 << 20)))]


tally.attempt("mem")(scan_file)
tally.attempt("string_at")(scan_pointers)
tally.report()
