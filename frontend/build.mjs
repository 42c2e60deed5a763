// Bundles the front end into ../src/whyglass/views/static, minified, styles inlined as text:
//   <view>.js      a view in AFM form: `var __whyglass_view=...;` and then the last line, exactly FOOTER below. anywidget
//                  and a served page import it as an ES module.
//   socket.js      ES module of a served page; imports the view that the page names.
//   static.js      reads the variable __whyglass_view. The one script of a page opened from disk is
//                  <view>.js without FOOTER + static.js, so a view's code lies in the wheel once.
//   streamlit.js   the same for Streamlit: <view>.js without FOOTER + streamlit.js is an ES module (component v2).
// src/bridge/{static,socket,streamlit}.ts say what each page must hold.
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const FOOTER = "export default __whyglass_view.default;";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.env.WHYGLASS_STATIC ?? join(here, "..", "src", "whyglass", "views", "static");
// Every file directly in src/views is a view; what views share lies in src/parts or in a folder of src/views.
const views = readdirSync(join(here, "src", "views")).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));

const target = ["es2022", "chrome109", "firefox115", "safari16.4"];

// Every report carries a view's code: style sheets are minified too, and templates lose their indentation, which htm drops
// or the page draws as one blank.
const small = {
  name: "small",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true, target });
      return { contents: code.trim(), loader: "text" };
    });
    build.onLoad({ filter: /src[\\/]views[\\/].*\.ts$/ }, ({ path }) => ({ contents: readFileSync(path, "utf8").replace(/\n +/g, "\n"), loader: "ts" }));
  },
};

const common = {
  bundle: true,
  minify: true,
  sourcemap: false,
  legalComments: "none",
  charset: "utf8",
  target,
  plugins: [small],
  absWorkingDir: here,
  logLevel: "warning",
};

mkdirSync(out, { recursive: true });
const wanted = new Set(["socket.js", "static.js", "streamlit.js", ...views.map((file) => `${parse(file).name}.js`)]);
for (const file of readdirSync(out)) if (file.endsWith(".js") && !wanted.has(file)) rmSync(join(out, file));

const bridge = (name, format) =>
  build({ ...common, entryPoints: [`src/bridge/${name}.ts`], format, outfile: join(out, `${name}.js`) });

const view = (file) =>
  build({
    ...common,
    entryPoints: [`src/views/${file}`],
    format: "iife",
    globalName: "__whyglass_view",
    footer: { js: FOOTER },
    outfile: join(out, `${parse(file).name}.js`),
  });

await Promise.all([bridge("socket", "esm"), bridge("static", "iife"), bridge("streamlit", "esm"), ...views.map(view)]);
