"""Settings of the corpus, the encoder, the index and the retriever's service."""

from dataclasses import dataclass

from agentdistill.config.settings import section, setting


@dataclass
class EncoderConfig:
    model: str = "minilm"  # a preset (minilm, e5-base-v2, bge-base-en), a folder, or a hub id
    revision: str | None = None  # of a hub id
    query_prefix: str | None = None  # null: what the preset says, else none
    passage_prefix: str | None = None
    pooling: str = setting("auto", choices=("auto", "mean", "cls"))
    normalize: bool = True
    max_length: int = setting(256, ge=8)  # tokens
    batch_size: int = setting(64, ge=1)
    dtype: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"))
    device: str = "auto"
    threads: int = setting(1, ge=1)  # CPU threads of one encoder, and of one replica's search


@dataclass
class IndexConfig:
    kind: str = setting("flat", choices=("flat", "flat_fp16", "ivf", "ivf_pq", "hnsw", "sq8", "bm25", "hybrid"))
    file: str | None = None  # a FAISS index that exists already, opened as it is; row i of the corpus is its vector i
    nlist: int = setting(0, ge=0)  # 0: chosen from the corpus size
    nprobe: int = setting(32, ge=1)
    hnsw_m: int = setting(32, ge=4)
    ef_construction: int = setting(80, ge=1)
    ef_search: int = setting(128, ge=1)
    pq_bytes: int = setting(64, ge=1)
    dense: str = setting("flat", choices=("flat", "flat_fp16", "ivf", "ivf_pq", "hnsw", "sq8"))  # of kind=hybrid
    rrf_k: int = setting(60, ge=1)  # reciprocal rank fusion's constant, for kind=hybrid
    train_sample: int = setting(262_144, ge=1)  # vectors
    shards: int = setting(1, ge=1)
    shard_rows: int = setting(65_536, ge=1)  # passages encoded as one restartable unit
    recall_queries: int = setting(256, ge=0)  # held-out queries of the recall check; 0: no check
    memory_map: bool = True
    gpu: str = setting("auto", choices=("auto", "never"))  # auto: where faiss-gpu and a GPU are there

    def problems(self):
        if self.file is not None and self.kind in ("bm25", "hybrid"):
            yield "file", self.file, f"null for kind={self.kind}: a pre-built file holds dense vectors alone"
        if self.file is not None and self.shards > 1:
            yield "shards", self.shards, "1 for a pre-built index file"


@dataclass
class RetrieverConfig:
    enabled: bool = True  # false: no index, no service, and agents without search
    corpus: str = (
        "builtin"  # "builtin", a Parquet, JSON Lines or Search-R1 file or a folder of them, or hub:OWNER/NAME[:SPLIT]
    )
    id_column: str = "id"
    title_column: str = "title"
    text_column: str = "text"
    expected_passages: int | None = setting(  # a corpus of another size is refused; null: any size
        None, ge=1, binds=False
    )
    folder: str = setting("${oc.select:folder,.}/index", binds=False)
    encoder: EncoderConfig = section(EncoderConfig)
    index: IndexConfig = section(IndexConfig)
    encode_actors: int = setting(  # Ray Data actors that encode the corpus; 0: in this process, without Ray
        0, ge=0, binds=False
    )
    gpus_per_encode_actor: float = setting(0.0, ge=0, binds=False)
    k: int = setting(3, ge=1)
    passage_chars: int = setting(1_200, ge=50)  # a longer passage is cut in the observation
    replicas: int = setting(1, ge=1, binds=False)
    max_replicas: int = setting(1, ge=1, binds=False)
    cpus_per_replica: float = setting(0.25, ge=0, binds=False)  # what Ray reserves: a replica mostly waits
    gpus_per_replica: float = setting(0.0, ge=0, binds=False)
    max_batch: int = setting(64, ge=1, binds=False)  # requests encoded and searched together
    batch_wait_s: float = setting(0.005, ge=0, binds=False)
    max_queued: int = setting(512, ge=1, binds=False)  # requests a replica holds; more are answered "busy" at once
    deadline_s: float = setting(30.0, gt=0, binds=False)
    cache_size: int = setting(100_000, ge=0, binds=False)  # queries

    def problems(self):
        if self.max_replicas < self.replicas:
            yield "max_replicas", self.max_replicas, f"at least replicas ({self.replicas})"
        if self.corpus.startswith("hf:") and not self.corpus.startswith("hf://"):
            name = self.corpus.removeprefix("hf:")
            yield "corpus", self.corpus, f"hub:{name}, as data sets of the hub are named everywhere"
        if self.max_queued < self.max_batch:
            yield "max_queued", self.max_queued, f"at least max_batch ({self.max_batch})"
