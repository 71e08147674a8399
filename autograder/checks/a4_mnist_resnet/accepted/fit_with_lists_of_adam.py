# Adam with weight decay; weights cloned by hand; the training loss is measured after the epoch, in eval mode.
def fit(model, train_loader, val_loader, epochs, lr, device, seed):
    torch.manual_seed(seed)
    adam, stopper = torch.optim.Adam(model.parameters(), lr, weight_decay=1e-4), EarlyStopping()
    rows, kept = [], {}
    for epoch in range(epochs):
        train_one_epoch(model, train_loader, adam, device)
        rows.append(
            (
                mean_loss(model, train_loader, device),
                mean_loss(model, val_loader, device),
                evaluate(model, val_loader, device)[0],
            )
        )
        kept[epoch] = {name: value.clone() for name, value in model.state_dict().items()}
        if stopper.step(rows[-1][1]):
            break
    best = int(np.argmin([row[1] for row in rows]))
    model.load_state_dict(kept[best])
    return dict(zip(("train_loss", "val_loss", "val_accuracy"), map(list, zip(*rows, strict=True)), strict=True))
