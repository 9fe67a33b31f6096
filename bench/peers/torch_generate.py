"""Greedy generation by Python transformers with its KV cache, one sequence, on a Hugging Face model folder.

Requirements: requirements.txt beside this file.
    python torch_generate.py runs/NAME/model --tokens 128 --threads 2 --prompt-ids 464,2068,7586
"""

import argparse
import json
import statistics
import time

import torch
import transformers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder with config.json and model.safetensors")
    parser.add_argument("--tokens", type=int, default=128, help="new tokens; an end token doesn't stop it")
    parser.add_argument("--prompt-ids", default="1,2,3,4,5,6,7,8", help="token ids, comma-separated")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="runs measured, after one that isn't")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    prompt = torch.tensor([[int(word) for word in args.prompt_ids.split(",")]])
    seconds = []
    for _ in range(args.repeats + 1):
        before = time.perf_counter()
        out = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            min_new_tokens=args.tokens,
            max_new_tokens=args.tokens,
            do_sample=False,
            use_cache=True,
            pad_token_id=0,
        )
        seconds.append(time.perf_counter() - before)
    measured = seconds[1:]
    print(json.dumps({
        "peer": "transformers",
        "version": transformers.__version__,
        "torch": torch.__version__,
        "threads": args.threads,
        "tokens": args.tokens,
        # The whole call, the prompt's own pass included.
        "tokens_per_second": args.tokens / statistics.median(measured),
        "min_tokens_per_second": args.tokens / max(measured),
        "max_tokens_per_second": args.tokens / min(measured),
        "parameters": model.num_parameters(),
        "ids": out[0, prompt.shape[1]:].tolist(),
    }))


if __name__ == "__main__":
    main()
