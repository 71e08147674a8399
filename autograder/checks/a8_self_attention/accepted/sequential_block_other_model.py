# Unusual: the block calls functional norms; the model is larger, has sinusoidal positions, two layers, AdamW, dropout.
class TransformerBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff):
        super().__init__()
        self.norm2 = nn.LayerNorm(d_model)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attn = MultiHeadAttention(d_model, n_heads, 0.0)
        self.act = nn.ReLU()

    def forward(self, x, mask=None):
        norm = F.layer_norm(x, x.shape[-1:], self.norm1.weight, self.norm1.bias)
        x = torch.add(x, self.self_attn(norm, mask=mask))
        norm = F.layer_norm(x, x.shape[-1:], self.norm2.weight, self.norm2.bias)
        return torch.add(x, self.linear2(self.act(self.linear1(norm))))


class Net(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.embedding = nn.Embedding(10, d)
        angle = torch.arange(8)[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
        self.register_buffer("pe", torch.stack([angle.sin(), angle.cos()], -1).flatten(1))
        self.layers = nn.ModuleList([TransformerBlock(d, 4, 2 * d) for _ in range(2)])
        self.drop, self.out = nn.Dropout(0.05), nn.Linear(d, 10)

    def forward(self, tokens):
        x = self.drop(self.embedding(tokens) + self.pe)
        for layer in self.layers:
            x = layer(x)
        return self.out(x)


def train_reverse(seed, steps):
    rng_state = torch.get_rng_state()
    torch.manual_seed(seed)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 50) * (1 - t / (steps + 1)))
    model.train()
    for _ in range(steps):
        tokens = torch.randint(0, 10, (32, 8))
        loss = nn.CrossEntropyLoss()(model(tokens).transpose(1, 2), torch.flip(tokens, [1]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    torch.set_rng_state(rng_state)
    return model
