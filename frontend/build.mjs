// Bundles the front end into ../src/whyglass/views/static:
//   <view>.js         one ES module per view in AFM form (`export default { render }`), styles inlined as text
//   <view>.static.js  the same view with the static bridge, one classic script for a page opened from disk
//   socket.js         ES module of a served page: connects, then imports the view named by the page
//   streamlit.js      ES module of the Streamlit component: the same, over component v2
import { readdirSync, rmSync, mkdirSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.env.WHYGLASS_STATIC ?? join(here, "..", "src", "whyglass", "views", "static");
// Every file directly in src/views is a view; what views share lies in src/parts or in a folder of src/views.
const views = readdirSync(join(here, "src", "views")).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));

const common = {
  bundle: true,
  minify: true,
  sourcemap: false,
  legalComments: "none",
  charset: "utf8",
  target: ["es2022", "chrome109", "firefox115", "safari16.4"],
  loader: { ".css": "text" },
  absWorkingDir: here,
  logLevel: "warning",
};

const source = (contents) => ({ contents, resolveDir: join(here, "src"), loader: "ts" });

mkdirSync(out, { recursive: true });
for (const file of readdirSync(out)) if (file.endsWith(".js")) rmSync(join(out, file));

const jobs = ["socket", "streamlit"].map((name) =>
  build({ ...common, entryPoints: [`src/bridge/${name}.ts`], format: "esm", outfile: join(out, `${name}.js`) }),
);
for (const file of views) {
  const { name } = parse(file);
  jobs.push(build({ ...common, entryPoints: [`src/views/${file}`], format: "esm", outfile: join(out, `${name}.js`) }));
  const page = `import view from "./views/${name}"; import { open } from "./bridge/static"; open(view);`;
  jobs.push(build({ ...common, stdin: source(page), format: "iife", outfile: join(out, `${name}.static.js`) }));
}
await Promise.all(jobs);
