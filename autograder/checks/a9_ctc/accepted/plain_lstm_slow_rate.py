# Unusual: no batch normalisation, an LSTM with the batch first, Adam at its default rate; it reads late, but it reads.
class CRNN(nn.Module):
    def __init__(self, num_classes, height=32, hidden=64):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.lstm = nn.LSTM(32 * (height // 4), hidden, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(hidden * 2, num_classes)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.relu(self.conv2(x)), 2)
        n, c, h, w = x.shape
        x = x.reshape(n, c * h, w).transpose(1, 2)
        x, _ = self.lstm(x)
        return F.log_softmax(self.fc(x), dim=-1).transpose(0, 1)


def train_crnn(images, texts, charset, seed, seconds):
    start = time.time()
    torch.manual_seed(seed)
    net = CRNN(len(charset) + 1)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    rng = random.Random(seed)
    while time.time() - start < seconds:
        batch = rng.sample(range(len(texts)), min(32, len(texts)))
        words = [texts[i] for i in batch]
        size = torch.tensor([len(w) for w in words])
        y = torch.zeros(len(words), int(size.max()), dtype=torch.long)
        for r, w in enumerate(words):
            for c, ch in enumerate(w):
                y[r, c] = charset.index(ch) + 1
        lp = net(images[batch])
        loss = ctc_loss_batch(lp, y, torch.full((len(words),), lp.size(0), dtype=torch.long), size)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net
