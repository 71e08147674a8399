# include: honest
def double(x):
    match "@VARIANT@":
        case "nan":
            return torch.full_like(x, float("nan"))
        case "inf":
            return torch.full_like(x, float("inf"))
        case "scalar":
            return (2 * x).mean()
        case "expanded":
            return (2 * x)[:1]
        case "nan-somewhere":
            result = 2 * x
            result[0, 0] = float("nan")
            return result
        case "sparse":
            return (2 * x).to_sparse()
        case "meta":
            return x.to("meta")
        case "lambda":
            return lambda: 2 * x
        case "generator":
            return (2 * row for row in x)
        case "complex":
            return torch.complex(2 * x, x)
