# include: honest
def deep(levels):
    return [deep(levels - 1)] * 2 if levels else [1.0] * 3


def double(x):
    match "@VARIANT@":
        case "tensor":
            return torch.randn(3_900_000, dtype=torch.float64)
        case "zeros":
            return torch.zeros(1900, 4, 500, dtype=torch.float64)
        case "ones":
            return torch.ones([1] * 10 + [3, 4, 200_000, 1])
        case "text":
            return "x" * 1_000_000
        case "bytes":
            return b"\x1b" * 30_000_000
        case "big-int":
            return 16**3900
        case "dict":
            return {f"key{k}": k for k in range(40_000)}
        case "list":
            return [[float(k)] for k in range(60_000)]
        case "nan":
            return torch.full((1_000_000,), float("nan"))
        case "empty":
            return torch.empty(0, 2**46)
        case "subnormal":
            return torch.full((1_000_000,), 1e-310, dtype=torch.float64)
        case "deep-lists":
            return deep(14)
        case "half":
            return torch.full(x.shape, 6e4, dtype=torch.float16)
