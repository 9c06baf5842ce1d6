// The trajectory browser: filters, a list of which only the visible rows exist, and the trajectory that is picked.

const ROW = 62; // px, the height of a row in the list
const SLICE_MS = 12; // work in one go, so that typing and scrolling stay smooth

class Browser {
  constructor(store, root) {
    this.store = store;
    this.root = root;
    this.list = root.querySelector("#list");
    this.rows = root.querySelector("#rows");
    this.detail = root.querySelector("#detail");
    this.filters = [...root.querySelectorAll("[data-filter]")];
    this.query = "";
    this.found = null; // per trajectory, 1 where the query stands in it; null without a query
    this.order = [];
    this.picked = -1; // trajectory
    this.beside = undefined; // undefined: the default; null: nothing
    this.searching = 0;
    this.prepared = 0; // chunks ready for search
    this.#fillFilters();
    this.#listen();
    this.refresh();
  }

  #fillFilters() {
    const { cells, tasks, reasons } = this.store.index;
    const fill = (name, labels) => {
      const select = this.root.querySelector(`[data-filter="${name}"]`);
      select.append(...labels.map((label, number) => h("option", { value: number }, label)));
    };
    fill("cell", cells.map((cell) => (cell.teacher ? `${cell.label} (training questions)` : cell.label)));
    fill("task", tasks);
    fill("reason", reasons.map((reason) => reason.replaceAll("_", " ")));
  }

  #listen() {
    for (const filter of this.filters) filter.addEventListener("change", () => this.refresh());
    const input = this.root.querySelector("#text");
    let timer = 0;
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.search(input.value), 80);
    });
    this.root.querySelector("#reset").addEventListener("click", () => {
      for (const filter of this.filters) filter.value = "";
      input.value = "";
      this.search("");
    });
    this.list.addEventListener("scroll", () => requestAnimationFrame(() => this.paint()));
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.pick(this.order[Number(row.dataset.place)]);
    });
    this.list.addEventListener("keydown", (event) => this.#move(event));
    new ResizeObserver(() => this.paint()).observe(this.list);
    window.addEventListener("hashchange", () => this.openHash());
  }

  #move(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / ROW) - 1);
    const jumps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in jumps) || !this.order.length) return;
    event.preventDefault();
    const here = this.order.indexOf(this.picked);
    const next = Math.min(this.order.length - 1, Math.max(0, here + jumps[event.key]));
    this.pick(this.order[next]);
    this.#reveal(next);
  }

  #reveal(place) {
    const top = place * ROW;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const below = top + ROW - this.list.clientHeight;
    if (below > this.list.scrollTop) this.list.scrollTop = below;
  }

  openHash() {
    const match = /^#t(\d+)$/.exec(location.hash);
    if (!match || Number(match[1]) >= this.store.size) return false;
    this.pick(Number(match[1]));
    this.#reveal(Math.max(0, this.order.indexOf(this.picked)));
    return true;
  }

  // Search all texts. Answers from what is unpacked so far, and goes on as more arrives.
  async search(text) {
    this.query = text.trim().toLowerCase();
    const turn = ++this.searching;
    if (!this.query) {
      this.found = null;
      this.refresh();
      return;
    }
    const found = new Uint8Array(this.store.size);
    this.store.searchHeads(this.query, found);
    let deadline = performance.now() + SLICE_MS;
    for (let number = 0; number < this.prepared; number += 1) {
      this.store.searchChunk(number, this.query, found);
      if (performance.now() < deadline) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.searching) return;
      deadline = performance.now() + SLICE_MS;
    }
    this.found = found;
    this.refresh();
  }

  chunkReady(number, total) {
    this.prepared = number + 1;
    if (this.query && this.found) this.store.searchChunk(number, this.query, this.found);
    const done = this.prepared === total;
    this.root.querySelector("#progress").textContent = done
      ? ""
      : `Reading the texts: ${Math.round((100 * this.prepared) / total)}%`;
    if (done) this.root.dataset.searchable = "";
    if (this.query && (done || number % 8 === 0)) this.refresh();
  }

  refresh() {
    const { index, size } = this.store;
    const value = (name) => this.root.querySelector(`[data-filter="${name}"]`).value;
    const wanted = { cell: value("cell"), reason: value("reason"), correct: value("correct") };
    const task = value("task");
    const special = value("special");
    const order = [];
    for (let i = 0; i < size; i += 1) {
      if (this.found && !this.found[i]) continue;
      if (wanted.cell !== "" && index.cell[i] !== Number(wanted.cell)) continue;
      if (wanted.reason !== "" && index.reason[i] !== Number(wanted.reason)) continue;
      if (wanted.correct !== "" && index.correct[i] !== Number(wanted.correct)) continue;
      if (task !== "" && this.store.question(i).task !== Number(task)) continue;
      if (special !== "" && !this.#isSpecial(i, special)) continue;
      order.push(i);
    }
    this.order = order;
    const shown = order.length === size ? "" : ` of ${size.toLocaleString("en")}`;
    this.root.querySelector("#count").textContent = `${order.length.toLocaleString("en")}${shown} trajectories`;
    this.rows.style.height = `${order.length * ROW}px`;
    this.list.scrollTop = Math.min(this.list.scrollTop, Math.max(0, order.length * ROW - this.list.clientHeight));
    this.root.querySelector("#empty").hidden = order.length > 0;
    this.paint(true);
    if (order.length && !order.includes(this.picked)) this.pick(order[0], false);
    else this.#markMatches();
  }

  #isSpecial(i, special) {
    const { index } = this.store;
    if (special === "invalid") return index.invalid[i] > 0;
    if (special === "errors") return index.errors[i] > 0;
    if (special === "vote") return index.candidates[i] > 1;
    if (special === "taken") return index.vote[i]?.[2] === 1;
    if (special === "trained") return index.trained[i] === 1;
    return this.#disagrees(i);
  }

  // Another trajectory on the same question was judged otherwise.
  #disagrees(i) {
    const { correct, question } = this.store.index;
    const others = this.store.siblings[question[i]];
    return others.some((other) => correct[other] >= 0 && correct[i] >= 0 && correct[other] !== correct[i]);
  }

  paint(all = false) {
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - 4);
    const last = Math.min(this.order.length, Math.ceil((this.list.scrollTop + this.list.clientHeight) / ROW) + 4);
    if (!all && first === this.first && last === this.last) return;
    this.first = first;
    this.last = last;
    const rows = [];
    for (let place = first; place < last; place += 1) rows.push(this.#row(place));
    this.rows.replaceChildren(...rows);
    this.#markPicked();
  }

  #row(place) {
    const i = this.order[place];
    const { index } = this.store;
    const question = this.store.question(i);
    const facts = [
      this.store.cell(i).label,
      index.tasks[question.task],
      index.reasons[index.reason[i]].replaceAll("_", " "),
      count(index.steps[i], "step"),
      index.tokens[i] ? count(index.tokens[i], "token") : "",
      ballot(index.vote[i]),
    ];
    return h(
      "div",
      {
        ...{ role: "option", id: `row-${i}`, class: "row", style: `top:${place * ROW}px`, "data-place": place },
        ...{ "aria-setsize": this.order.length, "aria-posinset": place + 1, "aria-selected": "false" },
      },
      h("span", { class: `dot ${VERDICTS[index.correct[i]][0]}`, role: "img", "aria-label": VERDICTS[index.correct[i]][1] }),
      h("span", { class: "row-question" }, question.text),
      h("span", { class: "row-facts" }, facts.filter(Boolean).join(" · ")),
    );
  }

  #markPicked() {
    for (const row of this.rows.children) {
      const here = row.id === `row-${this.picked}`;
      row.setAttribute("aria-selected", String(here));
    }
    if (this.order.includes(this.picked)) this.list.setAttribute("aria-activedescendant", `row-${this.picked}`);
    else this.list.removeAttribute("aria-activedescendant");
  }

  async pick(i, byUser = true) {
    this.picked = i;
    this.beside = this.#defaultBeside(i);
    if (byUser) history.replaceState(null, "", `#t${i}`);
    this.#markPicked();
    await this.#show();
    this.detail.scrollTop = 0;
  }

  // The teacher where it worked on the same question, else the next cell; the reader's "nothing" is kept.
  #defaultBeside(i) {
    if (this.beside === null) return null;
    const others = this.store.siblings[this.store.index.question[i]].filter((other) => other !== i);
    const otherCells = others.filter((other) => this.store.index.cell[other] !== this.store.index.cell[i]);
    return otherCells.find((other) => this.store.cell(other).teacher) ?? otherCells[0] ?? undefined;
  }

  async #show() {
    const picked = this.picked;
    const parts = await showDetail(this.store, picked, this.beside ?? null, (beside) => {
      this.beside = beside;
      this.#show();
    });
    if (picked !== this.picked) return;
    this.detail.replaceChildren(...parts);
    this.#markMatches();
  }

  // Mark the query in the trajectory without touching its elements.
  #markMatches() {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete("match");
    if (!this.query) return;
    const ranges = [];
    const walker = document.createTreeWalker(this.detail, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node && ranges.length < 2000; node = walker.nextNode()) {
      const text = node.data.toLowerCase();
      if (text.length !== node.data.length) continue;
      for (let at = text.indexOf(this.query); at !== -1; at = text.indexOf(this.query, at + this.query.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + this.query.length);
        ranges.push(range);
      }
    }
    if (ranges.length) CSS.highlights.set("match", new Highlight(...ranges));
  }
}
