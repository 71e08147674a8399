# The caller's w and b are used and restored; one leaf collects the gradients; autograd.functional.hvp.
def logistic_grads(x, y, w, b):
    before = w.requires_grad, b.requires_grad
    w.requires_grad_(True)
    b.requires_grad_(True)
    try:
        with torch.enable_grad():
            loss = F.binary_cross_entropy_with_logits(b + x @ w, y, reduction="sum") / y.numel()
        loss.backward()
        dw, db = w.grad, b.grad
    finally:
        w.grad = b.grad = None
        w.requires_grad_(before[0])
        b.requires_grad_(before[1])
    return loss.detach(), dw, db


def accumulate(fn, xs):
    leaf = torch.empty_like(xs[0]).requires_grad_()
    for x in xs:
        with torch.no_grad():
            leaf.copy_(x)
        fn(leaf).backward()
    return leaf.grad


def hessian_vector_product(f, x, v):
    return torch.autograd.functional.hvp(f, x, v)[1]
