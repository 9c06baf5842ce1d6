// One trajectory, alone or with another one on the same question beside it.

const ERRORS = {
  no_code: "no code block was found",
  unfinished: "the step was cut off",
  empty: "the step was empty",
  execution: "the code raised",
  limit: "a sandbox limit ended the code",
};
const VERDICTS = { 1: ["correct", "Correct"], 0: ["wrong", "Wrong"], "-1": ["ungraded", "Not graded"] };

function badge(correct) {
  const [kind, text] = VERDICTS[correct];
  return h("span", { class: `badge ${kind}` }, text);
}

// How the vote over whole episodes went for this one.
function ballot(vote) {
  if (!vote) return "";
  const [agree, voters, taken] = vote;
  if (!agree) return `did not vote (${voters} did)`;
  return `${agree} of ${voters} gave this answer${taken ? ", taken by vote" : ""}`;
}

async function showDetail(store, i, beside, onBeside) {
  const question = store.question(i);
  const others = store.siblings[store.index.question[i]].filter((other) => other !== i);
  const columns = [await column(store, i)];
  if (beside !== null) columns.push(await column(store, beside));
  return [
    h(
      "header",
      { class: "detail-head" },
      h("p", { class: "kicker" }, `${store.index.tasks[question.task]} · ${question.id}`),
      h("h3", { class: "question" }, question.text),
      h("p", { class: "gold" }, h("span", { class: "label" }, "Gold"), " ", question.gold.join("  or  ")),
      others.length ? besidePicker(store, others, beside, onBeside) : "",
    ),
    h("div", { class: beside === null ? "columns" : "columns two" }, columns),
  ];
}

function besidePicker(store, others, beside, onBeside) {
  const select = h(
    "select",
    { id: "beside", onchange: (event) => onBeside(event.target.value === "" ? null : Number(event.target.value)) },
    h("option", { value: "" }, "nothing"),
    others.map((other) => {
      const sample = store.index.sample[other] ? `, sample ${store.index.sample[other]}` : "";
      const seed = store.index.seed[other] ? `, seed ${store.index.seed[other]}` : "";
      const verdict = VERDICTS[store.index.correct[other]][1].toLowerCase();
      return h(
        "option",
        { value: other, selected: other === beside },
        `${store.cell(other).label}${sample}${seed} (${verdict})`,
      );
    }),
  );
  return h("p", { class: "beside" }, h("label", { for: "beside" }, "Beside it, on the same question: "), select);
}

async function column(store, i) {
  const { index } = store;
  const cell = store.cell(i);
  const body = await store.read(i);
  const tokens = index.trained[i] ? await store.tokens(i) : null;
  const loss = index.trained[i] ? cell.loss : null;
  const facts = [
    index.reason.length ? index.reasons[index.reason[i]].replaceAll("_", " ") : "",
    count(index.steps[i], "step"),
    index.tokens[i] ? count(index.tokens[i], "token") : "",
    count(index.calls[i], "tool call"),
    `${index.seconds[i]} s`,
    index.seed[i] ? `seed ${index.seed[i]}` : "",
    index.sample[i] ? `sample ${index.sample[i]}` : "",
    ballot(index.vote[i]),
  ];
  return h(
    "article",
    { class: "trajectory" },
    h(
      "header",
      {},
      h("p", { class: "who" }, badge(index.correct[i]), " ", h("strong", {}, cell.label), ` ${cell.model}`),
      h("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
      answerLine(body),
      body.error ? h("p", { class: "error" }, h("span", { class: "label" }, body.error.startsWith("judge: ") ? "Grading" : "System"), " ", body.error) : "",
      loss ? trainedLine(tokens) : "",
    ),
    tokens ? tokenView(tokens) : "",
    body.steps.map((step, number) => stepView(step, number, body, loss)),
  );
}

function answerLine(body) {
  const text = body.answer === null ? h("em", {}, "none") : h("span", { class: "answer-text" }, body.answer);
  return h("p", { class: "answer" }, h("span", { class: "label" }, "Answer"), " ", text);
}

function trainedLine(tokens) {
  const where = tokens ? "" : " (by settings; its tokens were not rendered)";
  return h(
    "p",
    { class: "trained-note" },
    h("span", { class: "trained" }, "In the training set"),
    ` Tinted text carries loss${where}.`,
  );
}

function tokenView(sequences) {
  const body = h("pre", { class: "tokens", tabindex: "0" });
  const details = h("details", { class: "token-view" }, h("summary", {}, tokenSummary(sequences)), body);
  details.addEventListener("toggle", () => {
    if (!details.open || body.childNodes.length) return;
    for (const [pieces, weights] of sequences) {
      pieces.forEach((piece, n) => {
        const kind = weights[n] > 0 ? "token on" : "token";
        body.append(h("span", { class: kind, title: `weight ${weights[n]}` }, piece));
      });
    }
  });
  return details;
}

function tokenSummary(sequences) {
  const total = sequences.reduce((sum, [pieces]) => sum + pieces.length, 0);
  const trained = sequences.reduce((sum, [, weights]) => sum + weights.filter((weight) => weight > 0).length, 0);
  return `The student's ${total.toLocaleString("en")} tokens, ${trained.toLocaleString("en")} of them trained`;
}

// The loss weight of a part of a step, by the run's settings; null where the trajectory was not trained on.
function lossOf(step, part, loss) {
  if (!loss) return null;
  if (loss.mask_failed_actions && step.error) return 0;
  if (part === "thought") return loss.thought_weight ?? 1;
  return /\bfinal_answer\s*\(/.test(step.code) ? (loss.final_weight ?? 1) : (loss.code_weight ?? 1);
}

function tint(weight) {
  return weight === null ? "" : weight > 0 ? " trained" : " untrained";
}

function stepView(step, number, body, loss) {
  const split = step.code || !step.whole;
  return h(
    "section",
    { class: "step" },
    h("h4", { class: "step-number" }, h("span", { class: "visually-hidden" }, "Step "), String(number + 1)),
    h(
      "div",
      { class: "step-body" },
      split ? thoughtView(step, number === 0 ? body.prefix : "", loss) : wholeView(step, loss),
      step.code ? h("pre", { class: `code${tint(lossOf(step, "code", loss))}`, tabindex: "0" }, highlight(step.code)) : "",
      step.candidates.length ? voteView(step.candidates) : "",
      step.error ? errorView(step) : "",
      step.observation ? observationView(step) : "",
      timing(step),
    ),
  );
}

function thoughtView(step, prefix, loss) {
  if (!step.thought) return "";
  const kind = tint(lossOf(step, "thought", loss));
  const start = prefix && step.thought.startsWith(prefix.trim()) ? prefix.trim() : "";
  if (!start) return h("p", { class: "thought" }, h("span", { class: kind.trim() || null }, step.thought));
  const prefixKind = loss && loss.train_on_prefix === false ? " untrained" : kind;
  return h(
    "p",
    { class: "thought" },
    h("span", { class: `prefix${prefixKind}`, title: "first-thought prefix" }, start),
    h("span", { class: kind.trim() || null }, step.thought.slice(start.length)),
  );
}

function wholeView(step, loss) {
  return h("pre", { class: `whole${tint(lossOf(step, "thought", loss))}`, tabindex: "0" }, step.whole);
}

function errorView(step) {
  const what = ERRORS[step.error] ?? step.error;
  return h("p", { class: "error" }, h("span", { class: "label" }, what), " ", step.errorMessage);
}

function observationView(step) {
  return h(
    "div",
    { class: "observation" },
    h("span", { class: "label" }, "Observation"),
    h("pre", { tabindex: "0" }, step.observation),
  );
}

function timing(step) {
  const parts = [step.tokens ? count(step.tokens, "token") : "", step.calls ? count(step.calls, "tool call") : ""];
  for (const [name, seconds] of [["writing", step.generationS], ["code", step.sandboxS], ["tools", step.toolsS]]) {
    if (seconds) parts.push(`${name} ${seconds < 0.1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`}`);
  }
  return h("p", { class: "timing" }, parts.filter(Boolean).join(" · "));
}

// How the vote over candidates went: groups that agree on the outcome, largest first, then those that failed.
function voteView(candidates) {
  const groups = new Map();
  for (const candidate of candidates) {
    const key = candidate.key;
    groups.set(key, [...(groups.get(key) ?? []), candidate]);
  }
  const ranked = [...groups].sort((a, b) => (a[0] === "") - (b[0] === "") || b[1].length - a[1].length);
  const failed = groups.get("")?.length ?? 0;
  const winner = ranked.find(([, members]) => members.some((member) => member.chosen));
  const chosen = winner ? `${winner[1].length} of ${candidates.length} agree on the one taken` : "none was taken";
  return h(
    "details",
    { class: "vote" },
    h("summary", {}, `${candidates.length} candidates: ${chosen}${failed ? `, ${failed} failed` : ""}`),
    h("ol", {}, ranked.map(([key, members]) => groupView(key, members, candidates.length))),
  );
}

function groupView(key, members, total) {
  const taken = members.some((member) => member.chosen);
  const [kind, outcome] = splitKey(key);
  return h(
    "li",
    { class: `group${taken ? " taken" : ""}${key ? "" : " failed"}` },
    h(
      "p",
      { class: "group-head" },
      h("meter", { min: 0, max: total, value: members.length, "aria-label": `${members.length} of ${total}` }),
      h("strong", {}, `${members.length} of ${total}`),
      h("span", {}, kind),
      taken ? h("span", { class: "taken-mark" }, "taken") : "",
    ),
    outcome ? h("pre", { class: "outcome", tabindex: "0" }, outcome) : "",
    members.map((member) => candidateView(member)),
  );
}

function splitKey(key) {
  if (!key) return ["dropped", ""];
  if (key.startsWith("final:")) return ["answered", key.slice(6)];
  if (key.startsWith("printed:")) return ["printed", key.slice(8) || "nothing"];
  return ["", key];
}

function candidateView(candidate) {
  return h(
    "details",
    { class: "candidate", open: false },
    h("summary", {}, candidate.chosen ? "Taken: " : "", candidate.why || firstLine(candidate.code || candidate.thought)),
    candidate.thought ? h("p", { class: "thought" }, candidate.thought) : "",
    candidate.code ? h("pre", { class: "code", tabindex: "0" }, highlight(candidate.code)) : "",
  );
}

function firstLine(text) {
  const line = text.trim().split("\n", 1)[0];
  return line.length > 90 ? `${line.slice(0, 90)}…` : line || "empty";
}
