# include: honest
import os
import sys
import warnings

LEAK = "LEAK-" + "@MARKER@"
SHORT = LEAK.replace("-", "_")


def forge(*failure):
    from deepmarks.checks import messages, workspace

    workspace.Workspace._failure = lambda self, error, name: messages.Failure(*failure)
    raise ValueError


def carry(x):
    match "@VARIANT@":
        case "class-name":
            raise type(LEAK, (Exception,), {})
        case "message":
            raise ValueError(LEAK)
        case "undefined-name":
            return eval(SHORT)
        case "shape":
            return torch.zeros([int(abs(v) * 100) % 50 for v in x.detach().flatten()[:4].tolist()])
        case "key":
            return {LEAK: x}
        case "text":
            return LEAK
        case "type":
            return type(LEAK, (), {})()
        case "qualname":
            function = lambda: 0
            function.__name__ = function.__qualname__ = LEAK
            return function
        case "print":
            print(LEAK)
        case "stderr":
            print(LEAK, file=sys.stderr)
        case "warning":
            warnings.warn(LEAK)
        case "forged-type":
            forge("raised", LEAK, LEAK, LEAK, LEAK)
        case "forged-function":
            forge("not-implemented", "", "", "", LEAK)
        case "forged-kind":
            forge("missing", LEAK, LEAK, LEAK, LEAK)
        case "forged-state":
            forge("state-mismatch", "", '{"%s": [1]}' % LEAK, "", "")
        case "forged-operators":
            from deepmarks.checks import workspace

            kept = workspace.Reply

            def lying(*args, **kwargs):
                return kept(*args, **{**kwargs, "operators": (LEAK, "aten::_softmax")})

            workspace.Reply = lying
        case "builtin-type":
            raise type("ValueError", (Exception,), {"__str__": lambda self: LEAK})
        case "attribute":
            return getattr(x, SHORT)
        case "unicode-name":
            raise type("Value\u200bError" + LEAK, (ValueError,), {})
        case "exit-code":
            os._exit(int(abs(x.flatten()[0].item()) * 100) % 250)
        case "dtype-name":
            import numpy as np

            return np.zeros(3, dtype=[(LEAK, "f8")])
        case "opaque-kind":
            from deepmarks import wire

            wire.kind_of = lambda value: LEAK
            return object()
        case "not-implemented":
            raise NotImplementedError(LEAK)
        case "syntax":
            exec(f"{SHORT} =")
        case "output-later":
            globals()["later"] = LEAK
        case "length":
            return [0.0] * (int(abs(x.flatten()[0].item()) * 100) % 50)
    return torch.zeros_like(x)


later = ""


def double(x):
    if x.dtype == torch.float64:
        if "@VARIANT@" == "output-later":
            carry(x)
            return 2 * x
        return carry(x)
    return 2 * x


class Affine(Affine):
    def forward(self, x):
        if later:
            print(later)
            raise ValueError(later)
        return super().forward(x)
