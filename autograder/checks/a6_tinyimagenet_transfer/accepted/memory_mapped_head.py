# The file is opened with safe_open or read into a float32 copy; accuracy counted picture by picture.
def evaluate_checkpoint(path, build_model, loader, device):
    import io

    path = str(path)
    if path.endswith(".safetensors"):
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name).float() for name in list(file.keys())}
    else:
        with open(path, "rb") as file:
            state = torch.load(io.BytesIO(file.read()), weights_only=True)
    net = build_model().to(device)
    net.load_state_dict(state, strict=True)
    net.eval()
    first, among, n = 0, 0, 0
    for xs, ys in loader:
        with torch.no_grad():
            scores = net(xs.to(device)).tolist()
        for row, y in zip(scores, ys.tolist(), strict=True):
            order = sorted(range(len(row)), key=row.__getitem__, reverse=True)
            first += order[0] == y
            among += y in order[:5]
            n += 1
    return [first / n, among / n]
