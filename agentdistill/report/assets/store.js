// The trajectories as they are embedded: an index in columns, and chunks of texts that are unpacked when needed.

const KEPT_CHUNKS = 6; // unpacked for display at once

async function unpack(id) {
  const encoded = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// Where the first value greater than `value` stands in the sorted array.
function above(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

class Store {
  static async open() {
    const store = new Store();
    store.index = JSON.parse(await unpack("packed-index"));
    store.size = store.index.cell.length;
    store.questions = store.index.questions.map(([id, text, gold, task]) => ({ id, text, gold, task }));
    store.heads = store.questions.map((question) => `${question.id}\n${question.text}`.toLowerCase());
    store.siblings = store.#groupByQuestion();
    store.searchable = new Array(store.index.starts.length).fill(null);
    store.kept = new Map();
    return store;
  }

  #groupByQuestion() {
    const groups = this.questions.map(() => []);
    for (let i = 0; i < this.size; i += 1) groups[this.index.question[i]].push(i);
    // The same question may stand with another spelling of its gold answers in another cell.
    const byId = new Map();
    this.questions.forEach((question, number) => {
      const key = `${question.task}\n${question.id}\n${question.text}`;
      byId.set(key, [...(byId.get(key) ?? []), ...groups[number]]);
    });
    return this.questions.map((question) => byId.get(`${question.task}\n${question.id}\n${question.text}`));
  }

  cell(i) {
    return this.index.cells[this.index.cell[i]];
  }

  question(i) {
    return this.questions[this.index.question[i]];
  }

  async #chunk(number) {
    let chunk = this.kept.get(number);
    if (!chunk) {
      const lines = (await unpack(`packed-chunk-${number}`)).split("\n");
      chunk = { texts: lines, numbers: JSON.parse(lines.pop()) };
      if (this.kept.size >= KEPT_CHUNKS) this.kept.delete(this.kept.keys().next().value);
    }
    this.kept.delete(number);
    this.kept.set(number, chunk);
    return chunk;
  }

  // The texts and numbers of one trajectory.
  async read(i) {
    const number = above(this.index.starts, i) - 1;
    const chunk = await this.#chunk(number);
    const place = i - this.index.starts[number];
    const [answer, error, prefix, steps] = JSON.parse(chunk.texts[place]);
    const numbers = chunk.numbers[place];
    return { answer, error, prefix, steps: steps.map((texts, step) => makeStep(texts, numbers[step])) };
  }

  // The tokens as the student was trained on them, where the report could render them: a list of sequences, or null.
  async tokens(i) {
    if (!document.getElementById("packed-tokens")) return null;
    this.rendered ??= unpack("packed-tokens").then(JSON.parse);
    return (await this.rendered)[i] ?? null;
  }

  // Unpack every chunk once and keep what a search looks through.
  async prepareSearch(onProgress) {
    for (let number = 0; number < this.searchable.length; number += 1) {
      const raw = await unpack(`packed-chunk-${number}`);
      const text = raw.slice(0, raw.lastIndexOf("\n")).toLowerCase();
      const ends = [];
      for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) ends.push(at);
      this.searchable[number] = { text, ends };
      onProgress(number, this.searchable.length);
    }
  }

  // Mark in `found` each trajectory of the chunk in whose texts the query stands.
  searchChunk(number, query, found) {
    const chunk = this.searchable[number];
    if (!chunk) return;
    const wanted = JSON.stringify(query).slice(1, -1); // the texts are JSON
    const start = this.index.starts[number];
    let at = chunk.text.indexOf(wanted);
    while (at !== -1) {
      const line = above(chunk.ends, at);
      found[start + line] = 1;
      if (line >= chunk.ends.length) break;
      at = chunk.text.indexOf(wanted, chunk.ends[line]);
    }
  }

  searchHeads(query, found) {
    const hits = this.heads.map((head) => head.includes(query));
    for (let i = 0; i < this.size; i += 1) if (hits[this.index.question[i]]) found[i] = 1;
  }
}

function makeStep(texts, numbers) {
  const [thought, code, observation, errorMessage, whole, candidates] = texts;
  const [error, chosen, promptTokens, tokens, calls, generationS, sandboxS, toolsS] = numbers;
  return {
    ...{ thought, code, observation, errorMessage, whole, error, promptTokens, tokens, calls },
    ...{ generationS, sandboxS, toolsS },
    candidates: candidates.map(([candidateThought, candidateCode, key, why], number) => ({
      thought: candidateThought,
      code: candidateCode,
      key,
      why,
      chosen: number === chosen,
    })),
  };
}
