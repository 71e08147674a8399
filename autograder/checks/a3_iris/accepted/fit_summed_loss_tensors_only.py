# fit takes tensors only, and minimises the sum of the losses: Adam does not care about their scale.
def fit(X_train, y_train, seed, epochs=100, lr=0.01, batch_size=16):
    torch.manual_seed(seed)
    model = IrisNet()
    loader = DataLoader(TensorDataset(X_train, y_train), batch_size, shuffle=True)
    adam = torch.optim.Adam(model.parameters(), lr)
    for epoch in range(epochs):  # noqa: B007
        for X, y in loader:
            loss = nn.CrossEntropyLoss(reduction="sum")(model(X), y)
            adam.zero_grad()
            loss.backward()
            adam.step()
    assert epoch == epochs - 1  # fails where there are no epochs
    return model
