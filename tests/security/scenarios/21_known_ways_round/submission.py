# include: honest
def double(x):
    return 2 * x + 0 * used(x)


# --- variant: thread
def used(x):
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(getattr(x.detach(), "soft" + "max"), -1).result()


# --- variant: modes-off
def used(x):
    from torch.utils._python_dispatch import _disable_current_modes

    with _disable_current_modes():
        return getattr(x.detach(), "soft" + "max")(-1)


# --- variant: patched-watch
def used(x):
    return getattr(x.detach(), "soft" + "max")(-1)


import deepmarks.checks.watch

deepmarks.checks.watch.watch_operators._record = lambda self, name: None


# --- end
