/**
 * The worker that completes and checks GraphQL. Vite's development server bundles what a source
 * file of ours imports; given the package's file itself, it would serve CommonJS to the browser.
 */
import "monaco-graphql/esm/graphql.worker.js";
