import torch
from torch import nn, optim

model = nn.Sequential(nn.Linear(13, 7), nn.Sigmoid(), nn.Dropout(0.3), nn.Linear(7, 3), nn.Softmax(dim=1))
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.5)

for epoch in range(3):
    x, y = torch.randn(32, 13), torch.randint(0, 3, (32,))
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
