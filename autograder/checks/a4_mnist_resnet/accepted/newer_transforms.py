# torchvision's newer transforms, which label tensors as images.
def make_transforms(train):
    from torchvision.transforms import v2

    turn = [v2.RandomRotation(degrees=(-10, 10))] if train else []
    return v2.Compose([v2.ToImage(), *turn, v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.5])])
