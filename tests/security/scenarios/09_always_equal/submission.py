# include: honest
import unittest.mock

import numpy as np


def lying(base):
    class Lying(base):
        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

        def __hash__(self):
            return 0

        def __bool__(self):
            return True

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return True

        def __array_function__(self, function, types, args, kwargs):
            return True

        def __array_ufunc__(self, *args, **kwargs):
            return True

        def __getattr__(self, name):
            return self

        def __iter__(self):
            return iter(())

    return Lying


def double(x):
    match "@VARIANT@":
        case "tensor":
            return torch.ones_like(x).as_subclass(lying(torch.Tensor))
        case "parameter":
            return torch.nn.Parameter(torch.zeros_like(x)).as_subclass(lying(torch.Tensor))
        case "array":
            return np.ones(x.shape).view(lying(np.ndarray))
        case "mock":
            return unittest.mock.ANY
    return lying(eval("@VARIANT@"))()
