# include: honest
# include: frames
import pickle
import struct

VALUES = {
    "nbytes-short": ["a", "float64", [1000]],
    "nbytes-long": ["a", "float64", [1]],
    "many-dimensions": ["a", "float64", [1] * 100_000],
    "huge-shape": ["x", "float64", [2**40, 2**40], "cpu"],
    "negative-shape": ["x", "float64", [-1, -8], "cpu"],
    "object-dtype": ["a", "object", [1]],
    "surrogates": "\ud800",
    "unknown-tag": ["eval", "1"],
    "bool-shape": ["a", "float64", [True]],
    "wide": ["l", *([0] * 300_000)],
    "many-numbers": ["L", "int64", 2**40],
    "kind": ["o", 1, "LEAK-@MARKER@"],
    "duplicate-keys": ["d", "a", 1, "a", 2],
    "json-object": {"a": 1},
}


def raw():
    variant = "@VARIANT@"
    if variant in VALUES:
        return frame(reply(VALUES[variant]), b"\0" * (80 if variant == "nbytes-long" else 4))
    match variant:
        case "length-2-63":
            return struct.pack("<Q", 2**63) + b"x" * 100
        case "length-4g":
            return b"\xff\xff\xff\xff" + b"x" * 100
        case "header-4g":
            return struct.pack("<II", 100, 2**32 - 1) + b"x" * 96
        case "short-header":
            return struct.pack("<I", 2) + b"xx"
        case "deep":
            return frame(b"[" * 500_000)
        case "pickle":
            body = pickle.dumps(double)
            return struct.pack("<I", len(body)) + body
        case "nan-constant":
            return frame(b'["d","id",NaN]')
        case "not-utf8":
            return frame(b'"\xff\xfe"')
        case "zero-length":
            return struct.pack("<I", 0)
        case "float-id":
            return frame(reply(None, identity=float(current_request())))


def double(x):
    send_raw(raw())
    return 2 * x
