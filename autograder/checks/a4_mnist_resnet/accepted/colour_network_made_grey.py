# torchvision's layers are changed in place: the stem's weight is summed over the colours, the head exchanged later.
def mnist_resnet18(num_classes=10):
    net = models.resnet18()
    grey = net.conv1.weight.data.sum(1, keepdim=True)
    net.conv1.in_channels = 1
    net.conv1.weight = nn.Parameter(grey)
    net.fc = nn.Linear(net.fc.in_features, num_classes)
    return net
