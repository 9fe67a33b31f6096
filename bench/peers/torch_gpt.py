"""A plain GPT in PyTorch: the same function as Hugging Face's gpt2, with PyTorch's fused attention.

Shapes: B batch, T tokens, C width, H heads, D = C / H, V vocabulary, L layers.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width, bias=bias)
        self.c_attn = nn.Linear(width, 3 * width, bias=bias)
        self.attn_c_proj = nn.Linear(width, width, bias=bias)
        self.ln_2 = nn.LayerNorm(width, bias=bias)
        self.c_fc = nn.Linear(width, 4 * width, bias=bias)
        self.mlp_c_proj = nn.Linear(4 * width, width, bias=bias)

    def forward(self, x_BTC: torch.Tensor) -> torch.Tensor:
        B, T, C = x_BTC.shape
        q, k, v = (
            part.view(B, T, self.heads, C // self.heads).transpose(1, 2)
            for part in self.c_attn(self.ln_1(x_BTC)).split(C, dim=2)
        )
        attended_BHTD = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTC = x_BTC + self.attn_c_proj(attended_BHTD.transpose(1, 2).reshape(B, T, C))
        return x_BTC + self.mlp_c_proj(F.gelu(self.c_fc(self.ln_2(x_BTC)), approximate="tanh"))


class GPT(nn.Module):
    """Returns the mean cross-entropy in nats of `targets` [B, T], the tokens that follow `ids` [B, T]."""

    def __init__(self, layers: int, width: int, heads: int, context: int, vocab: int, bias: bool = True) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not divisible by {heads} heads")
        self.wte = nn.Embedding(vocab, width)
        self.wpe = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, bias) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width, bias=bias)
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                # Radford et al. 2019: layers that write to the residual stream start smaller.
                scale = 1 / math.sqrt(2 * layers) if name.endswith("c_proj.weight") else 1
                nn.init.normal_(parameter, std=0.02 * scale)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        x_BTC = self.wte(ids_BT) + self.wpe.weight[: ids_BT.shape[1]]
        for block in self.blocks:
            x_BTC = block(x_BTC)
        logits_BTV = F.linear(self.ln_f(x_BTC), self.wte.weight)
        return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


def adamw(model: nn.Module, lr: float, beta2: float, weight_decay: float = 0.1) -> torch.optim.AdamW:
    """PyTorch's fused AdamW; weight decay on matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, beta2), fused=True)


def random_windows(tokens: torch.Tensor, batch: int, context: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`batch` windows at random places of `tokens`: inputs and the tokens that follow them, each [B, T]."""
    starts = torch.randint(len(tokens) - context, (batch,))
    windows = torch.stack([tokens[start : start + context + 1] for start in starts.tolist()])
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


def step_flops(model: nn.Module, layers: int, width: int, batch: int, context: int) -> int:
    """Arithmetic of one training step, by nanoGPT's count: a token costs 6 (forward 2, backward 4) for each
    parameter but the position table, and 12·L·C·T for attention, whose masked half is counted too."""
    matrix_parameters = sum(p.numel() for p in model.parameters()) - context * width
    return batch * context * (6 * matrix_parameters + 12 * layers * width * context)
