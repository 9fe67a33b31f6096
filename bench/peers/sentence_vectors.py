"""Vectors of sentences by sentence-transformers.

python sentence_vectors.py MODEL SENTENCES.json THREADS ROUNDS

Prints {"seconds": [...], "version": ...}; the first round is no figure.
"""

import json
import sys
import time

import sentence_transformers
import torch

model_path, sentences_path, threads, rounds = sys.argv[1:]
torch.set_num_threads(int(threads))
with open(sentences_path, encoding="utf8") as file:
    sentences = json.load(file)
model = sentence_transformers.SentenceTransformer(model_path, device="cpu")
seconds = []
for _ in range(int(rounds) + 1):
    began = time.perf_counter()
    vectors = model.encode(sentences, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    seconds.append(time.perf_counter() - began)
assert len(vectors) == len(sentences)
print(json.dumps({"seconds": seconds[1:], "version": sentence_transformers.__version__}))
