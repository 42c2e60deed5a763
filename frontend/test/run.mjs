// Bundles every *.test.ts of this folder (and of its folders) for node and runs node's own test runner on them.
//   node test/run.mjs            all           node test/run.mjs forest shapley     those whose names begin so
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.startsWith(name)));
if (files.length === 0) throw new Error(`No test file begins with ${wanted.join(" or ")}.`);

// Inside the folder of the packages, so that what stays external is found.
const out = mkdtempSync(join(here, "..", "node_modules", ".test-"));
try {
  await build({
    entryPoints: files.map((file) => join(here, file)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["esbuild"],
    loader: { ".css": "text" },
    sourcemap: "inline",
    define: { __frontend: JSON.stringify(dirname(here)) },
    logLevel: "warning",
  });
  writeFileSync(join(out, "package.json"), '{"type":"module"}');
  const built = readdirSync(out, { recursive: true }).map(String).filter((file) => file.endsWith(".test.mjs"));
  const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built.map((file) => join(out, file))], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
