# No Compose: PIL turns, numpy scales, Python's own generator draws whole degrees; nearest pixels.
import random


def make_transforms(train):
    def prepare(picture):
        if train:
            picture = picture.rotate(random.randint(-10, 10), fillcolor=0)
        x = np.asarray(picture, dtype=np.float32) / 255
        return torch.from_numpy(2 * x - 1)[None]

    return prepare
