"""Vectors that can be searched: the FAISS index kinds, how they are filled by shard, opened and asked.

Similarity is the inner product everywhere: the cosine, where the encoder normalises.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentdistill.errors import DataError, MissingPartError, UserError
from agentdistill.retrieval.hits import Hits

if TYPE_CHECKING:
    from agentdistill.config.retriever import IndexConfig

#: Vectors added at once: 16,384 x 768 float32 are 50 MB.
CHUNK_ROWS = 16_384
#: FAISS asks for at least 39 training points a centroid, and uses at most 256.
MIN_POINTS_PER_CENTROID = 39
#: A product quantizer has 256 centroids a byte.
PQ_CENTROIDS = 256
#: From so many queries on, a matrix product is faster than a scan for each.
MATRIX_QUERIES = 3


def load_faiss() -> Any:
    """The module, untyped: its stubs leave out half of it. Raises MissingPartError."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MissingPartError("FAISS is not installed; run `pip install faiss-cpu` (or faiss-gpu)") from error


def choose_nlist(config: IndexConfig, count: int) -> int:
    """The number of inverted lists: as configured, else about 4 * sqrt(count), with enough points to train each."""
    if config.nlist:
        return config.nlist
    sample = min(count, config.train_sample)
    return max(1, min(int(4 * count**0.5), sample // MIN_POINTS_PER_CENTROID))


def make_index(kind: str, dimension: int, count: int, config: IndexConfig) -> Any:
    """An empty FAISS index of the kind. Raises UserError where the settings do not fit the corpus."""
    faiss = load_faiss()

    metric = faiss.METRIC_INNER_PRODUCT
    if kind == "flat":
        return faiss.IndexFlatIP(dimension)
    if kind == "flat_fp16":
        return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, metric)
    if kind == "sq8":
        return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, metric)
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimension, config.hnsw_m, metric)
        index.hnsw.efConstruction = config.ef_construction
        return index
    nlist = choose_nlist(config, count)
    if nlist > count:
        raise UserError(f"index.nlist is {nlist}, expected at most the number of passages ({count})")
    quantizer = faiss.IndexFlatIP(dimension)
    if kind == "ivf":
        index = faiss.IndexIVFFlat(quantizer, dimension, nlist, metric)
    elif kind == "ivf_pq":
        if dimension % config.pq_bytes:
            raise UserError(f"index.pq_bytes is {config.pq_bytes}, expected a divisor of the dimension ({dimension})")
        if count < PQ_CENTROIDS:
            raise UserError(f"index.kind is ivf_pq, expected at least {PQ_CENTROIDS} passages, the corpus has {count}")
        index = faiss.IndexIVFPQ(quantizer, dimension, nlist, config.pq_bytes, 8, metric)
        index.pq.cp.min_points_per_centroid = 1
    else:
        raise UserError(f"index.kind is {kind!r}, which is not an index of vectors")
    # The index owns its coarse quantizer from here on, so Python must not free it.
    quantizer.this.disown()
    index.own_fields = True
    index.cp.min_points_per_centroid = 1
    return index


def reserve(index: Any, count: int) -> None:
    """Allocate room for `count` vectors at once where the index keeps them in one block.

    A vector that grows by doubling holds the old and the new copy at the same time: three times the index at worst.
    """
    faiss = load_faiss()

    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexHNSW):
        reserve(index.storage, count)
        per_vector = index.hnsw.cum_nb_neighbors(1)
        _reserve(index.hnsw.neighbors, int(count * per_vector * 1.04))
        _reserve(index.hnsw.offsets, count + 1)
        _reserve(index.hnsw.levels, count)
    elif isinstance(index, faiss.IndexFlatCodes):
        _reserve(index.codes, count * index.code_size)


def _reserve(vector: Any, size: int) -> None:
    """Capacity survives shrinking, and there is no other way to ask for it from Python."""
    held = vector.size()
    if size > held:
        vector.resize(size)
        vector.resize(held)


def train_index(index: Any, sample: np.ndarray, config: IndexConfig) -> None:
    """Train on [rows, dimension] float32; the coarse quantizer's k-means runs on the GPUs where there are some."""
    faiss = load_faiss()
    if is_ivf(index) and _has_gpu(config):
        index.clustering_index = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(index.d))
    index.train(sample)


def is_ivf(index: Any) -> bool:
    return isinstance(index, load_faiss().IndexIVF)


def assign(index: Any, chunk: np.ndarray) -> np.ndarray:
    """[rows] int64: the inverted list of each vector."""
    return index.quantizer.search(chunk, 1)[1][:, 0]


def reserve_lists(index: Any, sizes: np.ndarray) -> None:
    """Allocate each inverted list at its final size."""
    for number, size in enumerate(sizes.tolist()):
        index.invlists.resize(number, size)
        index.invlists.resize(number, 0)


def add_assigned(index: Any, chunk: np.ndarray, first: int, assigned: np.ndarray) -> None:
    """Add the vectors as rows first, first + 1, ..., to the lists that they were assigned to."""
    pointer = load_faiss().swig_ptr
    chunk, assigned = np.ascontiguousarray(chunk, np.float32), np.ascontiguousarray(assigned, np.int64)
    rows = np.arange(first, first + len(chunk), dtype=np.int64)
    index.add_core(len(chunk), pointer(chunk), pointer(rows), pointer(assigned))


def write_index(index: Any, path: Path) -> None:
    load_faiss().write_index(index, str(path))


class DenseIndex:
    """One FAISS file at search. FAISS releases the interpreter lock, so calls may run in a thread."""

    def __init__(self, path: Path, config: IndexConfig, start: int = 0) -> None:
        """Open the file, memory-mapped where FAISS can. Its vector i is row start + i of the corpus.

        Raises DataError where it is truncated or no FAISS index.
        """
        self._index = _to_gpu(_read(path, config.memory_map), config)
        _use_blas(self.dimension)
        self._config = config
        self._start = start

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, vectors: np.ndarray, k: int) -> Hits:
        """The k best rows of each vector, [num_vectors, dimension] float32."""
        if not len(vectors):
            return Hits.none(0, k)
        k_there = min(k, self.count)
        params = self._parameters(k_there)
        scores, rows = self._index.search(vectors, k_there, params=params)
        if self._index.metric_type == load_faiss().METRIC_L2:
            scores = -scores  # a pre-built index may measure distances: here, more is better
        rows = np.where(rows < 0, -1, rows + self._start)
        if k_there < k:
            pad = Hits.none(len(vectors), k - k_there)
            rows, scores = np.hstack([rows, pad.rows]), np.hstack([scores, pad.scores])
        return Hits(rows, scores)

    def reconstruct(self, row: int) -> np.ndarray | None:
        """The vector at a row as the index holds it, or None where the index cannot tell."""
        try:
            return np.asarray(self._index.reconstruct(row - self._start), np.float32)
        except RuntimeError:
            return None

    def _parameters(self, k: int) -> Any:
        faiss = load_faiss()

        if isinstance(self._index, faiss.IndexHNSW):
            return faiss.SearchParametersHNSW(efSearch=max(self._config.ef_search, k))
        if isinstance(self._index, faiss.IndexIVFPQ):
            return faiss.IVFPQSearchParameters(nprobe=min(self._config.nprobe, self._index.nlist))
        if isinstance(self._index, faiss.IndexIVF):
            return faiss.SearchParametersIVF(nprobe=min(self._config.nprobe, self._index.nlist))
        return None


def _read(path: Path, memory_map: bool) -> Any:
    faiss = load_faiss()

    if not path.is_file():
        raise DataError(f"{path}: there is no such index file")
    flags = [faiss.IO_FLAG_MMAP_IFC, faiss.IO_FLAG_MMAP, 0] if memory_map else [0]
    error: Exception | None = None
    for flag in flags:
        try:
            return faiss.read_index(str(path), flag)
        except RuntimeError as raised:
            error = raised
    reason = str(error).strip().splitlines()[-1] if error else ""
    raise DataError(f"{path}: not a complete FAISS index, it may be truncated: {reason}") from error


def _use_blas(dimension: int) -> None:
    """Let a scan for three queries or more be a matrix product: for 64 together it is seven times as fast.

    Since FAISS counts queries times dimensions here, its default keeps the scan of single vectors up to 333 queries of
    384 dimensions. Versions that count queries have a default of 20.
    """
    settings = load_faiss().cvar
    if settings.distance_compute_blas_threshold > 1_000:
        settings.distance_compute_blas_threshold = MATRIX_QUERIES * dimension


def _has_gpu(config: IndexConfig) -> bool:
    faiss = load_faiss()
    return config.gpu == "auto" and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def _to_gpu(index: Any, config: IndexConfig) -> Any:
    """Spread the index over the GPUs in half precision, where faiss-gpu is installed and sees one."""
    faiss = load_faiss()
    if not _has_gpu(config) or isinstance(index, faiss.IndexHNSW):
        return index
    options = faiss.GpuMultipleClonerOptions()
    options.shard = True
    options.useFloat16 = True
    return faiss.index_cpu_to_all_gpus(index, co=options)
