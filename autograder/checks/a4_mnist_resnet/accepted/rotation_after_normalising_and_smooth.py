# The normalised tensor is turned with bilinear interpolation and filled with -1: the library leaves a dark grey rim.
def make_transforms(train):
    def transform(image):
        x = transforms.functional.to_tensor(image).sub(0.5).div(0.5)
        if not train:
            return x
        angle = float(torch.empty(1).uniform_(-10, 10))
        return transforms.functional.rotate(x, angle, transforms.InterpolationMode.BILINEAR, fill=-1.0)

    return transform
