"""Asks Python transformers about a model folder of ours. Requirements: Python 3.11+, torch 2.13, transformers 5.23.

python test/hf_check.py logits MODEL EXPECTED.json [--tolerance 1e-4] [--masked] [--adapter FOLDER]
    EXPECTED.json: {"input_ids": [[...]], "logits": numbers of B x T x V nested or flat,
                    "text": optional string, "text_ids": optional ids that the tokenizer must give for it}
    With --adapter the model is what PEFT 0.21 makes of MODEL and it.
    Prints {"dtype": what the folder says its numbers are, "max_abs_difference", "relative_difference", "tokenizer_round_trip", "tokenizer_ids_equal", "ok"};
    relative to the largest expected logit; the tokenizer's fields are null where nothing was asked.
    Exit code 1 when a difference is above the tolerance or the tokenizer disagrees.

python test/hf_check.py embed MODEL EXPECTED.json [--tolerance 1e-5]
    EXPECTED.json: {"texts": [...], "vectors": [[...]]}. Asks sentence-transformers 6.2. Prints {"max_abs_difference", "ok"}.

python test/hf_check.py greedy MODEL (--prompt TEXT | --prompt-ids 1,2,3) [--max-tokens 32] [--ignore-end]
    Prints {"ids", "text"}: the greedy continuation, without the prompt. `text` is null with --prompt-ids.

python test/hf_check.py seq2seq MODEL ROWS.jsonl [--max-tokens 32]
    ROWS.jsonl: rows of {"source", "target"}. Prints {"loss", "tokens", "ids", "texts"}: the mean over the tokens of targets,
    ends with them, of T5ForConditionalGeneration(labels=...), all rows in one batch; and what is written greedily of each
    source alone.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers


def load_model(folder: str, kind=transformers.AutoModelForCausalLM) -> transformers.PreTrainedModel:
    """Refuses a folder whose tensors do not cover the model: transformers would fill them with random numbers."""
    model, report = kind.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    wrong = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if wrong:
        sys.exit(f"error: {folder} does not load as it is: {json.dumps(wrong)}")
    return model.eval()


def check_logits(args: argparse.Namespace) -> int:
    asked = json.loads(args.expected.read_text(encoding="utf-8"))
    with torch.no_grad():
        kind = transformers.AutoModelForMaskedLM if args.masked else transformers.AutoModelForCausalLM
        cache = {} if args.masked else {"use_cache": False}
        model = load_model(args.model, kind)
        tokenizer_folder = args.model
        if args.adapter:
            from peft import PeftConfig, PeftModel

            if PeftConfig.from_pretrained(args.adapter).trainable_token_indices:
                # Rows of added tokens stand in the adapter; the base has to have places for them.
                tokenizer_folder = args.adapter
                tokens = len(transformers.AutoTokenizer.from_pretrained(args.adapter))
                model.resize_token_embeddings(max(tokens, model.config.vocab_size), mean_resizing=False)

            model = PeftModel.from_pretrained(model, args.adapter).eval()
        actual = model(torch.tensor(asked["input_ids"]), **cache).logits.double()
    expected = torch.tensor(asked["logits"], dtype=torch.float64)
    if expected.numel() != actual.numel():
        sys.exit(f"error: expected.logits holds {expected.numel()} numbers, the model gives {list(actual.shape)}")
    expected = expected.reshape(actual.shape)
    difference = float((actual - expected).abs().max())
    relative = difference / float(expected.abs().max())
    round_trip = ids_equal = None
    if "text" in asked:
        tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
        ids = tokenizer.encode(asked["text"], add_special_tokens=False)
        round_trip = tokenizer.decode(ids) == asked["text"]
        if "text_ids" in asked:
            ids_equal = ids == asked["text_ids"]
    # Written so that NaN is out of tolerance.
    ok = relative <= args.tolerance and round_trip is not False and ids_equal is not False
    print(json.dumps({
        "dtype": str(transformers.AutoConfig.from_pretrained(args.model).dtype),
        "max_abs_difference": difference,
        "relative_difference": relative,
        "tokenizer_round_trip": round_trip,
        "tokenizer_ids_equal": ids_equal,
        "ok": ok,
    }))
    return 0 if ok else 1


def check_vectors(args: argparse.Namespace) -> int:
    from sentence_transformers import SentenceTransformer

    asked = json.loads(args.expected.read_text(encoding="utf-8"))
    actual = torch.from_numpy(SentenceTransformer(args.model, device="cpu").encode(asked["texts"])).double()
    difference = float((actual - torch.tensor(asked["vectors"], dtype=torch.float64)).abs().max())
    ok = difference <= args.tolerance
    print(json.dumps({"max_abs_difference": difference, "ok": ok}))
    return 0 if ok else 1


def greedy(args: argparse.Namespace) -> int:
    tokenizer = None
    if args.prompt is not None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
        prompt = tokenizer.encode(args.prompt, add_special_tokens=False)
    else:
        prompt = [int(word) for word in args.prompt_ids.split(",")]
    ids = torch.tensor([prompt])
    out = load_model(args.model).generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=args.max_tokens,
        min_new_tokens=args.max_tokens if args.ignore_end else None,
        do_sample=False,
        pad_token_id=0,
    )
    new = out[0, len(prompt) :].tolist()
    print(json.dumps({"ids": new, "text": tokenizer.decode(new) if tokenizer else None}))
    return 0


def seq2seq(args: argparse.Namespace) -> int:
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = load_model(args.model, transformers.AutoModelForSeq2SeqLM)
    rows = [json.loads(line) for line in args.rows.read_text(encoding="utf-8").splitlines()]
    ended = lambda text: [*tokenizer.encode(text, add_special_tokens=False), model.config.eos_token_id]  # noqa: E731
    sources, targets = ([torch.tensor(ended(row[key])) for row in rows] for key in ("source", "target"))
    pad = torch.nn.utils.rnn.pad_sequence
    # The end may be what fills up as well, so that lengths tell what is a source's.
    mask = pad([torch.ones_like(source) for source in sources], batch_first=True)
    labels = pad(targets, batch_first=True, padding_value=-100)
    with torch.no_grad():
        loss = model(pad(sources, batch_first=True), attention_mask=mask, labels=labels).loss
        written = [
            model.generate(
                source[None],
                attention_mask=torch.ones_like(source[None]),
                max_new_tokens=args.max_tokens,
                max_length=None,
                do_sample=False,
            )[0, 1:].tolist()
            for source in sources
        ]
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in written]
    print(json.dumps({"loss": float(loss), "tokens": int((labels >= 0).sum()), "ids": written, "texts": texts}))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    logits = modes.add_parser("logits")
    logits.add_argument("model")
    logits.add_argument("expected", type=Path)
    logits.add_argument("--tolerance", type=float, default=1e-4)
    logits.add_argument("--masked", action="store_true")
    logits.add_argument("--adapter")
    vectors = modes.add_parser("embed")
    vectors.add_argument("model")
    vectors.add_argument("expected", type=Path)
    vectors.add_argument("--tolerance", type=float, default=1e-5)
    continuation = modes.add_parser("greedy")
    continuation.add_argument("model")
    prompt = continuation.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt")
    prompt.add_argument("--prompt-ids")
    continuation.add_argument("--max-tokens", type=int, default=32)
    continuation.add_argument("--ignore-end", action="store_true", help="go on after an end token")
    pairs = modes.add_parser("seq2seq")
    pairs.add_argument("model")
    pairs.add_argument("rows", type=Path)
    pairs.add_argument("--max-tokens", type=int, default=32)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    asked = {"logits": check_logits, "embed": check_vectors, "greedy": greedy, "seq2seq": seq2seq}
    return asked[args.mode](args)


if __name__ == "__main__":
    sys.exit(main())
