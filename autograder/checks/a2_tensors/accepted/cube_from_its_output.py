# CubeSigmoid in the style of setup_context; it saves input and output and writes the sigmoid with tanh.
class CubeSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return (0.5 + 0.5 * torch.tanh(x / 2)).pow(3)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        return grad_output * y * (3 - 3 * torch.sigmoid(x))


def hessian_vector_product(f, x, v):
    hessian = torch.autograd.functional.hessian(f, x)
    return (hessian.reshape(x.numel(), x.numel()) @ v.reshape(-1)).reshape(x.shape)
