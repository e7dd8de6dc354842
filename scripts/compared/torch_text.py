import math

import torch
from torch import nn


class PositionalEncoding(nn.Module):
    def __init__(self, width, longest=50):
        super().__init__()
        place = torch.arange(longest).unsqueeze(1)
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        table = torch.zeros(longest, width)
        table[:, 0::2] = torch.sin(place * rate)
        table[:, 1::2] = torch.cos(place * rate)
        self.register_buffer("table", table)

    def forward(self, x):
        return x + self.table[: x.size(1)]


class Tagger(nn.Module):
    def __init__(self, words, width=16, hidden=7, tags=5):
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.place = PositionalEncoding(width)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(width, 4, 24, batch_first=True), 2)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.scale = nn.Parameter(torch.ones(2 * hidden))
        self.out = nn.Linear(2 * hidden, tags)

    def forward(self, ids):
        x = self.encoder(self.place(self.embedding(ids) * math.sqrt(16)))
        x, (h, c) = self.lstm(x)
        scores = torch.einsum("btd,d->btd", x, self.scale)
        return self.out(scores).log_softmax(dim=-1)


model = Tagger(words=211)
ids = torch.randint(0, 211, (3, 13))
tags = model(ids)
