// SPDX-License-Identifier: AGPL-3.0-or-later
// A browser as wide as a phone in which somebody uses Hydrogen. Orders come in as JSON lines and are answered so.
import { createReadStream } from "node:fs";
import { cp, mkdir, stat } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import readline from "node:readline";

import { build } from "esbuild";
import { chromium } from "playwright-core";

const [homeserver, site] = process.argv.slice(2);
const HERE = import.meta.dirname;
const SIZE = { width: 390, height: 844 };
const PATIENCE = 60_000;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".svg": "image/svg+xml" };

async function furnish() {
  const modules = path.join(HERE, "node_modules");
  await mkdir(path.join(site, "olm"), { recursive: true });
  await cp(path.join(HERE, "page.html"), path.join(site, "index.html"));
  await cp(path.join(modules, "hydrogen-view-sdk/asset-build/assets"), path.join(site, "assets"), { recursive: true });
  await cp(path.join(modules, "hydrogen-view-sdk/lib-build/sw.js"), path.join(site, "sw.js"));
  for (const file of ["olm.js", "olm.wasm", "olm_legacy.js"]) {
    await cp(path.join(modules, "@matrix-org/olm", file), path.join(site, "olm", file));
  }
  await build({
    entryPoints: [path.join(HERE, "client.js")],
    outfile: path.join(site, "client.js"),
    bundle: true,
    format: "esm",
    external: ["fs", "path", "crypto"],
    logLevel: "error",
  });
}

function passOn(request, response) {
  const to = new URL(request.url, homeserver);
  const options = { method: request.method, headers: { ...request.headers, host: to.host } };
  const onward = http.request(to, options, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}

async function serve(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname.startsWith("/_matrix")) return passOn(request, response);
  const file = path.join(site, path.normalize(pathname === "/" ? "/index.html" : pathname));
  const there = await stat(file).catch(() => null);
  if (!there?.isFile()) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
}

// What stands wider than the screen, or hides a part of itself, among the messages.
function tooWide() {
  const all = [...document.querySelectorAll(".Timeline_message, .Timeline_message *")];
  const wide = all.filter((one) => {
    const cutOff = one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible";
    return one.getBoundingClientRect().right > innerWidth + 1 || (one.clientWidth > 0 && cutOff);
  });
  return {
    messages: document.querySelectorAll(".Timeline_message").length,
    page: document.documentElement.scrollWidth,
    wide: wide.map((one) => `${one.tagName} ${one.textContent.slice(0, 60)}`),
  };
}

await furnish();
const server = http.createServer((request, response) => void serve(request, response));
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const page = await browser.newPage({ viewport: SIZE });
page.setDefaultTimeout(PATIENCE);

const ORDERS = {
  async logIn({ user, password }) {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.locator("#username").fill(user);
    await page.locator("#password").fill(password);
    await page.getByRole("button", { name: "Log In" }).click();
  },
  async join({ room }) {
    const later = page.getByText(/Sign in anyway|Continue|Skip|Not now/i).first();
    const invitation = page.getByText(room).first();
    await later.or(invitation).first().waitFor();
    if (await later.isVisible()) await later.click();
    await invitation.click();
    await page.getByRole("button", { name: /Accept/i }).click();
    await page.locator(".MessageComposer_input").waitFor();
  },
  async sees({ words }) {
    await page.locator(".Timeline_message", { hasText: words }).first().waitFor();
  },
  async measure() {
    return page.evaluate(tooWide);
  },
  async picture({ file }) {
    await page.screenshot({ path: file });
  },
};

const tell = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
tell({ result: "ready" });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { order, ...what } = JSON.parse(line);
  try {
    tell({ result: (await ORDERS[order](what)) ?? null });
  } catch (error) {
    await page.screenshot({ path: path.join(site, "failed.png") });
    tell({ error: String(error.message).split("\n")[0] });
  }
}
await browser.close();
server.close();
