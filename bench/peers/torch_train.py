"""The PyTorch peer: trains a plain GPT on the CPU and prints one JSON line of figures.

Requirements: requirements.txt beside this file.

Speed of a step (settings of your choice):
    python torch_train.py --layers 4 --width 128 --heads 4 --context 64 --batch 12 --vocab 65 --data text.txt
Time to a validation loss with nanoGPT's own settings (torch_until.py), which fixes the model and the steps:
    python torch_train.py --until-loss 1.88 --eval-every 100 --data tinyshakespeare.txt
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import torch

from torch_gpt import GPT, adamw, random_windows, step_flops
from torch_until import train_until


def tokens_of(data: bytes, vocab: int) -> torch.Tensor:
    """Real text as token ids below `vocab`: ranks of the bytes; of byte pairs where the vocabulary has room for them."""
    units = torch.frombuffer(bytearray(data), dtype=torch.uint8).long()
    if vocab > 256:
        even = units[: len(units) // 2 * 2].view(-1, 2)
        # A multiplicative hash spreads the pairs that occur over the whole table.
        return ((even[:, 0] * 256 + even[:, 1]) * 40_503) % vocab
    return torch.unique(units, return_inverse=True)[1] % vocab


def measure(args: argparse.Namespace, tokens: torch.Tensor) -> dict:
    torch.manual_seed(args.seed)
    model = GPT(args.layers, args.width, args.heads, args.context, args.vocab)
    optimizer = adamw(model, lr=args.lr, beta2=0.95)
    run = torch.compile(model) if args.mode == "compile" else model

    def step() -> torch.Tensor:
        ids, targets = random_windows(tokens, args.batch, args.context)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.mode == "bf16"):
            loss = run(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    before = time.perf_counter()
    first_loss = float(step().detach())
    startup = time.perf_counter() - before
    for _ in range(args.warmup - 1):
        step()
    per_block = max(1, args.steps // args.blocks)
    blocks = []
    for _ in range(args.blocks):
        before = time.perf_counter()
        for _ in range(per_block):
            loss = step()
        blocks.append(1000 * (time.perf_counter() - before) / per_block)
    ms = statistics.median(blocks)
    return {
        "tokens_per_second": 1000 * args.batch * args.context / ms,
        "ms_per_step": ms,
        "min_ms_per_step": min(blocks),
        "max_ms_per_step": max(blocks),
        "gflops": step_flops(model, args.layers, args.width, args.batch, args.context) / ms / 1e6,
        "parameters": sum(p.numel() for p in model.parameters()),
        "first_loss": first_loss,
        "last_loss": float(loss.detach()),
        "startup_seconds": startup,
        "steps": per_block * args.blocks,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in dict(layers=4, width=128, heads=4, context=64, batch=12, vocab=65, threads=2).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--steps", type=int, default=100, help="steps measured")
    parser.add_argument("--warmup", type=int, default=10, help="steps before the clock starts, at least 1")
    parser.add_argument("--blocks", type=int, default=5, help="the steps are timed in so many blocks; their median counts")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--mode", choices=["eager", "compile", "bf16"], default="eager")
    parser.add_argument("--data", type=Path, required=True, help="text to train on")
    parser.add_argument("--until-loss", type=float, help="nanoGPT's settings until this validation loss")
    parser.add_argument("--eval-every", type=int, default=100)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.until_loss is None:
        figures = measure(args, tokens_of(args.data.read_bytes(), args.vocab))
    else:
        text = args.data.read_text(encoding="utf-8")
        figures = train_until(text, args.until_loss, args.eval_every, args.mode, args.seed)
    # Linux counts kibibytes, macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    head = {"peer": "pytorch", "version": torch.__version__, "mode": args.mode, "threads": args.threads}
    print(json.dumps(head | figures | {"peak_rss_bytes": peak}))


if __name__ == "__main__":
    main()
