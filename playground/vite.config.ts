import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip as gzipCompress } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const brotli = promisify(brotliCompress);
const gzip = promisify(gzipCompress);

/** The server behind `npm run dev`. */
const SERVER = process.env.ENTOURAGE_ORIGIN ?? "http://127.0.0.1:8000";

/**
 * Each page is a build of its own, named by the mode: pages that shared chunks would load what
 * only the other one needs. The server embeds what it finds in `dist`.
 */
export default defineConfig(({ command, mode: page }) => ({
  // Relative addresses: a proxy may publish the server below a path.
  base: command === "build" ? "./" : "/",
  plugins: [react(), compressed()],
  build: {
    rolldownOptions: { input: `${page}.html` },
    // The folder has a file of git's and the other page; `npm run build` clears the rest.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    // GraphiQL is one large program; the first page is kept small by a test.
    chunkSizeWarningLimit: 8_000,
    reportCompressedSize: false,
  },
  optimizeDeps: { entries: ["index.html", "graphiql.html"] },
  server: {
    proxy: {
      "/graphql": { target: SERVER, ws: true },
      "/schema.graphql": SERVER,
      "/avatars": SERVER,
    },
  },
}));

/**
 * Puts `NAME.br` and `NAME.gz` beside each file in `dist` that they make smaller, once all are
 * final. The folder is read because the bundle does not name what comes from `public`.
 */
function compressed(): Plugin {
  const worthwhile = /\.(css|html|js|json|svg|ttf)$/;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir = "dist" }) {
      const names = await readdir(dir, { recursive: true });
      const paths = names.filter((name) => worthwhile.test(name)).map((name) => join(dir, name));
      await Promise.all(
        paths.map(async (path) => {
          const source = await readFile(path);
          const variants = {
            br: await brotli(source, quality),
            gz: await gzip(source, { level: 9 }),
          };
          for (const [extension, variant] of Object.entries(variants)) {
            if (variant.length < source.length) {
              await writeFile(`${path}.${extension}`, variant);
            }
          }
        }),
      );
    },
  };
}
