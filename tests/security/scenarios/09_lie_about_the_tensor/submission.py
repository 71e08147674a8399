# include: honest
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Liar(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class DeepLiar(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def double(x):
    match "@VARIANT@":
        case "function":
            Liar().__enter__()
        case "dispatch":
            DeepLiar().__enter__()
        case "default-dtype":
            torch.set_default_dtype(torch.float16)
        case "storage":
            result = torch.zeros_like(x)
            result.untyped_storage().resize_(0)
            return result
    return 3 * x
