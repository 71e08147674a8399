# The tensor is turned after the normalisation, and filled with -1, which is black there.
def make_transforms(train):
    steps = [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float), transforms.Normalize(0.5, 0.5)]
    if train:
        steps.append(transforms.RandomAffine((-10, 10), fill=-1))
    return lambda image: transforms.Compose(steps)(image)
