"""PyTorch's best fp32 matrix product on this machine. Requirements: requirements.txt beside this file.

    python torch_gemm.py --threads 2 --sizes 768x128x512 1024x1024x1024      (M x K x N)
"""

import argparse
import json
import time

import torch

SIZES = ["768x128x512", "1024x256x1024", "1024x768x3072", "1024x1024x1024", "2048x2048x2048"]


def best_gflops(m: int, k: int, n: int, seconds: float) -> float:
    """The fastest of many products of [M, K] and [K, N]; short ones are timed several at once."""
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    repeats = max(1, round(2e8 / (2 * m * k * n)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        before = time.perf_counter()
        for _ in range(repeats):
            torch.mm(a, b, out=out)
        best = min(best, (time.perf_counter() - before) / repeats)
    return 2 * m * k * n / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each size")
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = {size: best_gflops(*map(int, size.split("x")), args.seconds) for size in args.sizes}
    head = {"peer": "pytorch", "version": torch.__version__, "threads": args.threads}
    print(json.dumps(head | {"gflops": max(sizes.values()), "sizes": sizes}))


if __name__ == "__main__":
    main()
