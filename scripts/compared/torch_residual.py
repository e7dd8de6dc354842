import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    expansion = 2

    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, padding="same"),
        )
        self.shortcut = nn.Identity() if inside == outside and stride == 1 else nn.Conv2d(inside, outside, 1, stride)

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, widths=(4, 6, 6), classes=5):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 7, stride=2, padding=3)
        self.blocks = nn.ModuleList(
            Block(a, b, 1 if a == b else 2) for a, b in zip((widths[0], *widths), widths, strict=False)
        )
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(F.dropout(x, 0.2, self.training))


model = ResNet()
print(model(torch.randn(2, 3, 64, 64)).shape)
