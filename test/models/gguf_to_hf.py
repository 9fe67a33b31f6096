"""A GGUF file of architecture llama as a Hugging Face folder in bf16, for tests.

python gguf_to_hf.py FILE.gguf FOLDER        needs: pip install gguf numpy

llama.cpp has the rows of q and k in the order of interleaved rotary embeddings: they are put back into halves.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
BLOCK = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def halves(rows, heads):
    size = rows.shape[0] // heads // 2
    return rows.reshape(heads, size, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def bfloat16(values):
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


source, folder = sys.argv[1], Path(sys.argv[2])
reader = GGUFReader(source)
field = lambda key: reader.fields[key].contents()
size = lambda key: field(f"llama.{key}")
heads = {"attn_q": size("attention.head_count"), "attn_k": size("attention.head_count_kv")}
folder.mkdir(parents=True, exist_ok=True)

tensors = {}
for tensor in reader.tensors:
    values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    block = re.match(r"blk\.(\d+)\.(\w+)\.weight", tensor.name)
    if block:
        name = f"model.layers.{block[1]}.{BLOCK[block[2]]}.weight"
        values = halves(values, heads[block[2]]) if block[2] in heads else values
    else:
        name = f"{TOP[tensor.name.removesuffix('.weight')]}.weight"
    tensors[name] = bfloat16(values)

header, offset = {"__metadata__": {"format": "pt"}}, 0
for name in sorted(tensors):
    end = offset + tensors[name].nbytes
    header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape), "data_offsets": [offset, end]}
    offset = end
head = json.dumps(header).encode()
head += b" " * (-len(head) % 8)
with open(folder / "model.safetensors", "wb") as file:
    file.write(len(head).to_bytes(8, "little") + head)
    for name in sorted(tensors):
        file.write(tensors[name].tobytes())

ends = {key: field(f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos", "padding")}
config = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": tensors["model.embed_tokens.weight"].shape[0],
    "hidden_size": size("embedding_length"),
    "intermediate_size": size("feed_forward_length"),
    "num_hidden_layers": size("block_count"),
    "num_attention_heads": heads["attn_q"],
    "num_key_value_heads": heads["attn_k"],
    "hidden_act": "silu",
    "max_position_embeddings": size("context_length"),
    "rms_norm_eps": round(float(size("attention.layer_norm_rms_epsilon")), 9),
    "rope_theta": float(size("rope.freq_base")),
    "tie_word_embeddings": "lm_head.weight" not in tensors,
    "attention_bias": False,
    "mlp_bias": False,
    "torch_dtype": "bfloat16",
    "bos_token_id": ends["bos"],
    "eos_token_id": ends["eos"],
}
(folder / "config.json").write_text(json.dumps(config, indent=2))

tokens, merges, types = (field(f"tokenizer.ggml.{key}") for key in ("tokens", "merges", "token_type"))
assert field("tokenizer.ggml.pre") == "smollm"
CONTROL, USER_DEFINED = 3, 4
added = [
    {
        "id": id,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": types[id] == CONTROL,
    }
    for id, token in enumerate(tokens)
    if types[id] in (CONTROL, USER_DEFINED)
]
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
tokenizer = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": added,
    "normalizer": None,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
    "post_processor": None,
    "decoder": {**byte_level, "add_prefix_space": True},
    "model": {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {token: id for id, token in enumerate(tokens)},
        "merges": [merge.split(" ") for merge in merges],
    },
}
(folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
names = {key: tokens[id] for key, id in ends.items()}
config = {
    "tokenizer_class": "GPT2Tokenizer",
    "bos_token": names["bos"],
    "eos_token": names["eos"],
    "pad_token": names["padding"],
    "model_max_length": size("context_length"),
    "chat_template": field("tokenizer.chat_template"),
    "clean_up_tokenization_spaces": False,
}
(folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1))
