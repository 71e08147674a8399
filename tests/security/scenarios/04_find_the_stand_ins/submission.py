# include: honest
import contextlib
import gc
import glob
import marshal
import os
import sys
import tempfile
import types

import torch

kept = []


def stand_ins():
    """Functions of the checks that stand in for others, in this process at this moment."""
    frame, namespaces = sys._getframe(), []
    while frame is not None:
        namespaces += [frame.f_globals, frame.f_locals]
        frame = frame.f_back
    values = [value for names in namespaces for value in list(names.values())] + gc.get_objects()
    for value in list(values):
        if type(value) is types.FunctionType and value.__closure__:
            values += [cell.cell_contents for cell in value.__closure__ if cell.cell_contents is not None]
    return [v for v in values if type(v) is types.FunctionType and v.__name__.startswith("library")]


honest_split_state = split_state


def split_state(n, state=None):
    for function in stand_ins():
        hide(function)
    return honest_split_state(n, state)


# --- variant: objects
def hide(function):
    kept.append(function)


def found():
    return kept + stand_ins()


# --- variant: frames
def hide(function):
    torch.Tensor.answer = function


def found():
    return [torch.Tensor.answer] if hasattr(torch.Tensor, "answer") else stand_ins()


# --- variant: files
FOLDERS = [tempfile.gettempdir(), "/dev/shm", "/tmp", "/var/tmp", os.path.expanduser("~"), "."]


def hide(function):
    for folder in FOLDERS:
        with contextlib.suppress(OSError), open(os.path.join(folder, "answer"), "wb") as file:
            os.fchmod(file.fileno(), 0o666)
            file.write(marshal.dumps(function.__code__))


def found():
    functions = []
    for path in [path for folder in FOLDERS for path in glob.glob(os.path.join(folder, "answer"))]:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            functions.append(types.FunctionType(marshal.loads(file.read()), {}))
    return functions


# --- variant: packages
def hide(function):
    import deepmarks

    deepmarks.answer = sys.modules["answer"] = function


def found():
    import deepmarks

    return [f for f in (getattr(deepmarks, "answer", None), sys.modules.get("answer")) if f is not None]


# --- end
def double(x):
    functions = found()
    return functions[0](x) if functions else 3 * x
