"""The PyTorch peer of `npm run bench -- finetune`: trains by a recipe that the bench wrote, and prints one JSON line of figures.

With an adapter by PEFT, which begins with the weights of the recipe's folder; without, all parameters. Float32.

Requirements: requirements.txt beside this file.
    python torch_finetune.py recipe.json --mode eager
"""

import argparse
import json
import resource
import statistics
import sys
import time

import numpy as np
import peft
import torch
import transformers
from torch.nn.functional import cross_entropy


def load(recipe: dict) -> torch.nn.Module:
    model = transformers.AutoModelForCausalLM.from_pretrained(recipe["model"], dtype=torch.float32)
    model.config.use_cache = False
    if "adapter" in recipe:
        model = peft.PeftModel.from_pretrained(model, recipe["adapter"], is_trainable=True)
    return model.train()


def optimizer_of(model: torch.nn.Module, recipe: dict) -> torch.optim.AdamW:
    """Decay of matrices alone."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1]
    others = [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe["weightDecay"]}, {"params": others, "weight_decay": 0.0}]
    betas = (recipe["beta1"], recipe["beta2"])
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, betas=betas, eps=recipe["epsilon"])


def loss_of(run: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
    logits = run(input_ids=rows[:, :-1]).logits
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), rows[:, 1:].reshape(-1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="the bench's recipe.json")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    args = parser.parse_args()
    with open(args.recipe, encoding="utf-8") as file:
        recipe = json.load(file)
    torch.set_num_threads(recipe["threads"])
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    rows = torch.from_numpy(np.fromfile(recipe["rows"], dtype="<i4").reshape(-1, recipe["context"] + 1)).long()
    model = load(recipe)
    optimizer = optimizer_of(model, recipe)
    trained = [p for p in model.parameters() if p.requires_grad]
    run = torch.compile(model) if args.mode == "compile" else model
    batch, rates, warmup = recipe["batch"], recipe["rates"], recipe["warmup"]
    losses, times = [], []
    cpu = time.process_time()
    for step, rate in enumerate(rates):
        if step == warmup:
            times, cpu = [], time.process_time()
        before = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(run, rows[step * batch : (step + 1) * batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe["clip"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach().item())
        times.append(time.perf_counter() - before)
    ms = 1000 * statistics.median(times)
    cpu_ms = 1000 * (time.process_time() - cpu) / len(times)
    # Linux counts kibibytes, macOS bytes. Before the evaluation, which is not what is measured.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    held_out = None
    if recipe["heldOut"] > 0:
        model.eval()
        with torch.no_grad():
            parts = rows[len(rates) * batch :].split(batch)
            held_out = sum(float(loss_of(model, part)) * len(part) for part in parts) / recipe["heldOut"]
    print(json.dumps({
        "peer": "pytorch",
        "version": torch.__version__,
        "peft": peft.__version__,
        "mode": args.mode,
        "tokens_per_second": 1000 * batch * recipe["context"] / ms,
        "ms_per_step": ms,
        "cpu_ms_per_step": cpu_ms,
        "losses": losses,
        "held_out_loss": held_out,
        "peak_rss_bytes": peak,
    }))


if __name__ == "__main__":
    main()
