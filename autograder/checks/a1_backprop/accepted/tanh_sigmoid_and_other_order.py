# The sigmoid as a shifted tanh; W2 drawn before W1, and the weights drawn as (out, in) and transposed.
def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def sigmoid_grad_from_output(s):
    return s - s * s


def init_params(n_in, n_hidden, n_out, rng):
    W2 = rng.standard_normal((n_out, n_hidden)).T
    W1 = rng.normal(0.0, 1.0, size=(n_hidden, n_in)).T
    return {"W1": W1, "W2": W2, "b1": 0.0 * W1[:1], "b2": np.zeros(n_out)[None, :]}
