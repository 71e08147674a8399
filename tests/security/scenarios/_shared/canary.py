import re

# Put together so that this text is not what it looks for.
CANARY = re.compile(("CANARY" + "-" + "[0-9a-f]{24}").encode())


def canaries(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    return sorted({found.decode() for found in CANARY.findall(data)})


def read(path, size=1 << 20):
    with open(path, "rb") as file:
        return file.read(size)
