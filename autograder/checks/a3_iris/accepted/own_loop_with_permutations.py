# No loader: permutations from a generator of its own, weights drawn in a fork, in float64.
def fit(X_train, y_train, seed, epochs=100, lr=0.01, batch_size=16):
    with torch.random.fork_rng():
        torch.manual_seed(seed * 7 + 1)
        model = IrisNet(X_train.shape[1], 10, 3).double()
    order = np.random.default_rng(seed)
    X, y = torch.from_numpy(np.array(X_train)).double(), torch.from_numpy(np.array(y_train)).long()
    adam = torch.optim.Adam(model.parameters(), lr)
    for _ in range(epochs):
        for rows in np.array_split(order.permutation(len(y)), range(batch_size, len(y), batch_size)):
            loss = nn.NLLLoss()(model(X[rows]).log_softmax(1), y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return model.eval()
