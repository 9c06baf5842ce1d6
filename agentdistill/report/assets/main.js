// Starts the page: the scheme first, then the trajectories, then their texts for search.

function startScheme() {
  const button = document.getElementById("scheme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.scheme ?? (systemDark.matches ? "dark" : "light");
  const label = () => {
    button.textContent = current() === "dark" ? "Light" : "Dark";
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.scheme = current() === "dark" ? "light" : "dark";
    label();
  });
  systemDark.addEventListener("change", label);
  label();
}

async function startBrowser() {
  const root = document.getElementById("trajectories");
  if (!document.getElementById("packed-index")) return;
  if (typeof DecompressionStream === "undefined") {
    root.querySelector("#progress").textContent =
      "This browser cannot unpack the trajectories; one from 2023 or later can.";
    return;
  }
  const store = await Store.open();
  const browser = new Browser(store, root);
  if (!browser.openHash() && browser.order.length) browser.pick(browser.order[0], false);
  root.dataset.ready = "";
  setTimeout(() => store.prepareSearch((number, total) => browser.chunkReady(number, total)), 50);
}

startScheme();
startBrowser();
