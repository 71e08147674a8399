# The newer transforms on tensors, bicubic, no antialiasing, gentler crops, flips by Python's generator, a function.
import random

from torchvision.transforms import InterpolationMode, v2


def make_transforms(train):
    to_image = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    resize = v2.Resize(256, interpolation=InterpolationMode.BICUBIC, antialias=False)
    crop = v2.RandomResizedCrop(224, scale=(0.3, 1.0), interpolation=InterpolationMode.BICUBIC, antialias=True)
    middle = v2.CenterCrop(224)

    def look(picture):
        x = to_image(picture)
        if train:
            x = crop(x)
            if random.random() < 0.5:
                x = v2.functional.horizontal_flip(x)
        else:
            x = middle(resize(x))
        return (x - mean) / std

    return look
