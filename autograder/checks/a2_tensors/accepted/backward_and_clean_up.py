# backward() on clones; the loss from softplus as a plain float; the gradients as they lie in .grad.
def logistic_grads(x, y, w, b):
    own_w = w.detach().clone()
    own_b = b.detach().clone()
    own_w.requires_grad = True
    own_b.requires_grad = True
    z = torch.matmul(x, own_w) + own_b
    loss = (F.softplus(z) - y * z).mean()
    loss.backward()
    return loss.item(), own_w.grad, own_b.grad


def accumulate(fn, xs):
    total = None
    for x in xs:
        leaf = x.clone().detach().requires_grad_()
        loss = fn(leaf)
        loss.backward()
        total = leaf.grad.clone() if total is None else total.add_(leaf.grad)
    return total


def hessian_vector_product(f, x, v):
    x = x.clone().detach().requires_grad_(True)
    g = torch.autograd.grad(f(x), x, create_graph=True)[0]
    return torch.autograd.grad((g * v).sum(), x)[0].detach()
