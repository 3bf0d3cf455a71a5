/**
 * The web workers of the Monaco editor, built as our own files. GraphiQL reads `MonacoEnvironment`
 * when it creates its first editor, so this module must be imported first.
 */
import EditorWorker from "monaco-editor/esm/vs/editor/editor.worker.js?worker";
import JsonWorker from "monaco-editor/esm/vs/language/json/json.worker.js?worker";
import GraphQLWorker from "./graphql.worker?worker";

window.MonacoEnvironment = {
  getWorker(_moduleId, label) {
    switch (label) {
      case "graphql":
        return new GraphQLWorker();
      case "json":
        return new JsonWorker();
      default:
        return new EditorWorker();
    }
  },
};
