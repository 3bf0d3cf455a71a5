import { writeFile } from "node:fs/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** The server behind `npm run dev`. */
const SERVER = process.env.ENTOURAGE_ORIGIN ?? "http://127.0.0.1:8000";

/** Two pages, one build. The server embeds what it finds in `dist`. */
export default defineConfig({
  plugins: [react(), compressed(), ignored()],
  build: {
    rolldownOptions: { input: ["index.html", "graphiql.html"] },
    assetsInlineLimit: 0,
    // GraphiQL is one large program; the first page is kept small by a test.
    chunkSizeWarningLimit: 8_000,
    reportCompressedSize: false,
  },
  server: { proxy: { "/graphql": SERVER, "/schema.graphql": SERVER } },
});

/** Puts `NAME.br` and `NAME.gz` beside each file that they make smaller. */
function compressed(): Plugin {
  const worthwhile = /\.(css|html|js|json|svg|ttf)$/;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  return {
    name: "compressed",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (!worthwhile.test(file.fileName)) {
          continue;
        }
        const source = Buffer.from(file.type === "asset" ? file.source : file.code);
        const variants = {
          br: brotliCompressSync(source, quality),
          gz: gzipSync(source, { level: 9 }),
        };
        for (const [extension, compressed] of Object.entries(variants)) {
          if (compressed.length < source.length) {
            this.emitFile({
              type: "asset",
              fileName: `${file.fileName}.${extension}`,
              source: compressed,
            });
          }
        }
      }
    },
  };
}

/** Puts back what Vite deletes with the rest of `dist`: git must know the folder, but no file. */
function ignored(): Plugin {
  return {
    name: "ignored",
    apply: "build",
    closeBundle: () => writeFile("dist/.gitignore", "*\n!.gitignore\n"),
  };
}
