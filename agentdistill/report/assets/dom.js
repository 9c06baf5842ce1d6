// Building elements. Text from models only ever becomes a text node.

function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function count(value, word) {
  return `${value.toLocaleString("en")} ${word}${value === 1 ? "" : "s"}`;
}

// Python source as spans. A small scanner: enough for colours, never an error on half-written code.
const PYTHON = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))`,
    String.raw`(?<number>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)\b)`,
    String.raw`(?<name>[A-Za-z_]\w*)`,
  ].join("|"),
  "g",
);
const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global if " +
    "import in is lambda nonlocal not or pass raise return try while with yield").split(" "),
);
const TOOLS = new Set(["search", "final_answer", "print"]);

function highlight(source) {
  const parts = [];
  let end = 0;
  for (const match of source.matchAll(PYTHON)) {
    const kind = kindOf(match);
    if (!kind) continue;
    parts.push(source.slice(end, match.index), h("span", { class: `py-${kind}` }, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(source.slice(end));
  return parts;
}

function kindOf(match) {
  const { comment, string, number, name } = match.groups;
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  if (KEYWORDS.has(name)) return "keyword";
  return TOOLS.has(name) ? "tool" : null;
}
