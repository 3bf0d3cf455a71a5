/**
 * The worker that completes and checks GraphQL. Vite's development server bundles the imports of our
 * source files; if it served the package's file directly, the browser would get CommonJS.
 */
import "monaco-graphql/esm/graphql.worker.js";
