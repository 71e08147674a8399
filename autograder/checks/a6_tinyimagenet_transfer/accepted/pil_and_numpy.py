# PIL and NumPy alone, Lanczos, the crop by hand; the head found by walking down; a train method for the whole model.
import random
import types

from PIL import Image


def make_transforms(train):
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)

    def prepare(img):
        w, h = img.size
        if train:
            area = random.uniform(0.08, 1.0) * w * h
            ratio = random.uniform(3 / 4, 4 / 3)
            cw, ch = min(w, max(1, round((area * ratio) ** 0.5))), min(h, max(1, round((area / ratio) ** 0.5)))
            left, top = random.randint(0, w - cw), random.randint(0, h - ch)
            img = img.crop((left, top, left + cw, top + ch)).resize((224, 224), Image.BILINEAR)
            if random.random() < 0.5:
                img = img.transpose(Image.FLIP_LEFT_RIGHT)
        else:
            k = 256 / min(w, h)
            img = img.resize((max(256, round(w * k)), max(256, round(h * k))), Image.LANCZOS)
            w, h = img.size
            img = img.crop(((w - 224) // 2, (h - 224) // 2, (w - 224) // 2 + 224, (h - 224) // 2 + 224))
        return torch.from_numpy(((np.asarray(img, np.float32) / 255 - mean) / std).transpose(2, 0, 1).copy())

    return prepare


def last_linear(module):
    found = None
    for name, child in module.named_children():
        deeper = last_linear(child)
        if isinstance(child, nn.Linear):
            found = (module, name, child)
        elif deeper:
            found = deeper
    return found


def replace_head(model, num_classes):
    parent, name, old = last_linear(model)
    new = nn.Linear(old.in_features, num_classes)
    nn.init.zeros_(new.weight)
    parent._modules[name] = new
    return model


def freeze_backbone(model):
    head = last_linear(model)[2]
    own = set(map(id, head.parameters()))
    for p in model.parameters():
        p.requires_grad_(id(p) in own)
    original = type(model).train

    def train(self, mode=True):
        original(self, mode)
        for m in self.modules():
            if m is not head and "BatchNorm" in type(m).__name__:
                m.eval()
        return self

    model.train = types.MethodType(train, model)
    return model.train()


def param_groups(model, lr_backbone, lr_head, weight_decay):
    head = last_linear(model)[2]
    norms = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
    light = {id(p) for m in model.modules() if isinstance(m, norms) for p in m.parameters()}
    for n, p in model.named_parameters():
        if n.endswith("bias"):
            light.add(id(p))
    own = {id(p) for p in head.parameters()}
    return [
        {
            "params": [p],
            "lr": lr_head if id(p) in own else lr_backbone,
            "weight_decay": 0 if id(p) in light else weight_decay,
        }
        for p in model.parameters()
        if p.requires_grad
    ]
