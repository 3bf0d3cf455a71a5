import type { CodegenConfig } from "@graphql-codegen/cli";

/** Types for every document of the example app, checked against the schema of the server. */
const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: "src/app/**/*.{ts,tsx}",
  ignoreNoDocuments: true,
  generates: {
    "src/app/generated/": {
      preset: "client",
      presetConfig: { fragmentMasking: { unmaskFunctionName: "getFragmentData" } },
      config: {
        enumsAsTypes: true,
        scalars: { DateTime: "string", URI: "string" },
        strictScalars: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
