"""nanoGPT's CPU example, timed: how long until the validation loss falls below a bound, and where it ends.

Settings: nanoGPT's README ("I only have a macbook") over config/train_shakespeare_char.py and train.py's defaults:
4 layers, 4 heads, width 128, context 64, batch 12, 2,000 steps, learning rate 1e-3 to 1e-4 by a cosine after 100
warm-up steps, betas 0.9 and 0.99, weight decay 0.1, clip 1.0, no dropout, no biases, characters, first 90 % to train.
"""

import math
import time

import torch

from torch_gpt import GPT, adamw, random_windows

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, STEPS = 4, 4, 128, 64, 12, 2000
PEAK_LR, FINAL_LR, WARMUP, BETA2, CLIP = 1e-3, 1e-4, 100, 0.99, 1.0
EVALUATION_TOKENS = 65_536


def learning_rate(step: int) -> float:
    """nanoGPT's get_lr."""
    if step < WARMUP:
        return PEAK_LR * (step + 1) / (WARMUP + 1)
    progress = (step - WARMUP) / (STEPS - WARMUP)
    return FINAL_LR + 0.5 * (1 + math.cos(math.pi * progress)) * (PEAK_LR - FINAL_LR)


def validation_windows(tokens: torch.Tensor, context: int) -> torch.Tensor:
    """Evenly spaced windows [N, context + 1] over `tokens`: at most 65,536 predicted tokens, always the same ones.

    The first starts at 0, the last ends at the last token.
    """
    count = min(EVALUATION_TOKENS, len(tokens) - 1) // context
    last = len(tokens) - context - 1
    starts = [i * last // max(count - 1, 1) for i in range(count)]
    return torch.stack([tokens[start : start + context + 1] for start in starts])


@torch.no_grad()
def validation_loss(model: GPT, windows: torch.Tensor) -> float:
    """Mean nats per token. Always the eager float32 model, in whatever mode it is trained."""
    total = 0.0
    for part in windows.split(128):
        total += float(model(part[:, :-1], part[:, 1:])) * len(part)
    return total / len(windows)


def train_until(text: str, bound: float, eval_every: int, mode: str, seed: int) -> dict:
    """Trains for all 2,000 steps; the clock of `training` runs only in steps, the other also in evaluations."""
    torch.manual_seed(seed)
    alphabet = {character: index for index, character in enumerate(sorted(set(text)))}
    tokens = torch.tensor([alphabet[character] for character in text])
    cut = int(0.9 * len(tokens))
    windows = validation_windows(tokens[cut:], CONTEXT)
    model = GPT(LAYERS, WIDTH, HEADS, CONTEXT, len(alphabet), bias=False)
    optimizer = adamw(model, PEAK_LR, BETA2)
    run = torch.compile(model) if mode == "compile" else model

    def loss_and_gradients() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=mode == "bf16"):
            loss = run(*random_windows(tokens[:cut], BATCH, CONTEXT))
        loss.backward()
        return loss

    # Compilation is start-up, not training: one pass before the clock, its gradients thrown away.
    before = time.perf_counter()
    loss_and_gradients()
    optimizer.zero_grad(set_to_none=True)
    startup = time.perf_counter() - before

    training = evaluation = 0.0
    losses, reached = [], None
    for step in range(STEPS):
        before = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        loss_and_gradients()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        training += time.perf_counter() - before
        done = step + 1
        if done % eval_every == 0 or done == STEPS:
            before = time.perf_counter()
            losses.append([done, validation_loss(model, windows)])
            evaluation += time.perf_counter() - before
            if reached is None and losses[-1][1] < bound:
                reached = {"step": done, "training_seconds": training, "seconds": training + evaluation}
    return {
        "until_loss": bound,
        "reached": reached,
        "final_val_loss": losses[-1][1],
        "best_val_loss": min(loss for _, loss in losses),
        "steps": STEPS,
        "training_seconds": training,
        "seconds": training + evaluation,
        "startup_seconds": startup,
        "ms_per_step": 1000 * training / STEPS,
        "val_losses": losses,
    }
