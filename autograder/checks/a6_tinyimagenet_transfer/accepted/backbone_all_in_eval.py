# Everything but the head stays in eval mode; groups come as a tuple, empty ones included.
def freeze_backbone(model):
    head = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    model.requires_grad_(False)
    head.requires_grad_(True)

    def train(mode=True):
        nn.Module.train(model, False)
        head.training = mode
        model.training = mode
        return model

    model.train = train
    model.train()


def param_groups(model, lr_backbone, lr_head, weight_decay):
    head = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    own = {id(p) for p in head.parameters()}
    free = [p for p in model.parameters() if p.requires_grad]
    return tuple(
        {
            "params": [p for p in free if (id(p) in own) is is_head and (p.dim() == 1) is is_vector],
            "lr": lr_head if is_head else lr_backbone,
            "weight_decay": 0.0 if is_vector else weight_decay,
        }
        for is_head in (True, False)
        for is_vector in (True, False)
    )
