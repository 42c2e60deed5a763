import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";

declare const __frontend: string;

const FOOTER = "export default __whyglass_view.default;";
const BUDGET = 150_000;

const out = mkdtempSync(join(tmpdir(), "whyglass-static-"));
execFileSync(process.execPath, [join(__frontend, "build.mjs")], { env: { ...process.env, WHYGLASS_STATIC: out }, stdio: "inherit" });
const files = new Map(readdirSync(out).map((name) => [name, readFileSync(join(out, name), "utf8")]));
rmSync(out, { recursive: true });
const views = readdirSync(join(__frontend, "src/views")).filter((name) => name.endsWith(".ts")).map((name) => name.replace(/\.ts$/, ".js"));

test("the whole front end is at most 150 kB gzipped", () => {
  const sizes = [...files].map(([name, text]) => [name, gzipSync(text, { level: 9 }).length] as const);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  assert.ok(total <= BUDGET, JSON.stringify(sizes));
});

test("every view is there and ends so that a bridge can be joined to it", () => {
  assert.ok(views.length > 0);
  for (const name of views) {
    const text = files.get(name) ?? "";
    assert.ok(text.startsWith("var __whyglass_view=") || text.startsWith('"use strict";var __whyglass_view='), name);
    assert.ok(text.trimEnd().endsWith(FOOTER), name);
  }
});

test("no bundle evaluates text, writes HTML or names another host", () => {
  const banned = /\beval\(|new Function\b|\.innerHTML\s*=|outerHTML\s*=|insertAdjacentHTML|document\.write/;
  for (const [name, text] of files) {
    // preact keeps one branch for dangerouslySetInnerHTML, which no source here uses (next test).
    const own = text.replace(/\w+\.innerHTML=\w+\.__html|\w+\.innerHTML=""/g, "");
    assert.doesNotMatch(own, banned, name);
    const addresses = [...text.matchAll(/https?:\/\/[^\s"'`<)]+/g)].map(([url]) => url).filter((url) => !url.startsWith("http://www.w3.org/"));
    assert.deepEqual(addresses, [], name);
  }
});

test("no source sets HTML from text", () => {
  const sources = readdirSync(join(__frontend, "src"), { recursive: true }).map(String).filter((name) => name.endsWith(".ts"));
  for (const name of sources) {
    const text = readFileSync(join(__frontend, "src", name), "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function\(/, name);
  }
});
