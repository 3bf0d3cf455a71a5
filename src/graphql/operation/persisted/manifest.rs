//! The manifests that the builds of clients write, and the documents that they make trusted.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::Deserialize;

use super::{SHA256_PREFIX, canonical::canonical};
use crate::{
    domain::Limits,
    graphql::{
        operation::document::{self, Documents},
        reply::Reply,
        schema::{self, Features},
    },
};

/// A file with documents: that of Apollo's `generate-persisted-query-manifest`, or an object of
/// ids and texts, as Relay's `persistConfig` and the client preset of graphql-codegen write it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its name, for messages.
    pub name: String,
    /// Its content.
    pub json: String,
}

/// Why a manifest was refused. `Display` names the file and the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON.
    #[error("{name} is not JSON: {reason}")]
    NotJson {
        /// The file.
        name: String,
        /// What the parser says.
        reason: String,
    },
    /// JSON of another shape.
    #[error(
        "{name} is not a manifest: it must be an object of ids and documents, or what Apollo's \
         generate-persisted-query-manifest writes, in version 1"
    )]
    NotAManifest {
        /// The file.
        name: String,
    },
    /// A document that does not parse, or does not fit the schema or the limits.
    #[error("{name}: the document {document} cannot run here: {reason}")]
    Invalid {
        /// The file.
        name: String,
        /// The name of its operation, or its id.
        document: String,
        /// The first error, with its place.
        reason: String,
    },
    /// One id for two texts.
    #[error("{name}: the id {id} belongs to two different documents")]
    Ambiguous {
        /// The second file.
        name: String,
        /// The id.
        id: String,
    },
}

/// The known shapes of a manifest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Apollo { format: String, version: u64, operations: Vec<Operation> },
    Texts(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    name: Option<String>,
    body: String,
}

/// The documents that may always run.
#[derive(Clone, Debug, Default)]
pub(super) struct Trusted {
    by_id: Arc<HashMap<String, String>>,
    canonical: Arc<HashSet<String>>,
}

impl Trusted {
    pub(super) fn load(
        &mut self,
        manifests: &[Manifest],
        features: Features,
        limits: Limits,
    ) -> Result<(), ManifestError> {
        if manifests.is_empty() {
            return Ok(());
        }
        let documents = Documents::new(&schema::sdl(features), limits);
        for manifest in manifests {
            for operation in operations(manifest)? {
                self.add(&manifest.name, operation, &documents, &limits)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        manifest: &str,
        operation: Operation,
        documents: &Documents,
        limits: &Limits,
    ) -> Result<(), ManifestError> {
        let Operation { id, name, body } = operation;
        documents.get(&body).map_err(|reply| ManifestError::Invalid {
            name: manifest.to_owned(),
            document: name.map_or_else(|| format!("{id:?}"), |name| format!("{name:?} ({id})")),
            reason: first_error(&reply),
        })?;

        self.add_text(&body, limits);
        let id = id.strip_prefix(SHA256_PREFIX).unwrap_or(&id).to_owned();
        let by_id = Arc::make_mut(&mut self.by_id);
        if by_id.get(&id).is_some_and(|other| *other != body) {
            return Err(ManifestError::Ambiguous { name: manifest.to_owned(), id });
        }
        by_id.insert(id, body);
        Ok(())
    }

    /// Trusts a text that has no id. One that does not parse is ignored: it cannot run either.
    pub(super) fn add_text(&mut self, text: &str, limits: &Limits) {
        if let Some(ast) = document::parsed(text, limits) {
            Arc::make_mut(&mut self.canonical).insert(canonical(&ast));
        }
    }

    /// The text with this id, which has no `sha256:` in front.
    pub(super) fn by_id(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(String::as_str)
    }

    pub(super) fn has_ids(&self) -> bool {
        !self.by_id.is_empty()
    }

    pub(super) fn has_text(&self, canonical: &str) -> bool {
        self.canonical.contains(canonical)
    }
}

/// The documents of a manifest, in the order of the file or of their ids.
fn operations(manifest: &Manifest) -> Result<Vec<Operation>, ManifestError> {
    let name = || manifest.name.clone();
    let json = manifest.json.trim_start_matches('\u{feff}');
    let json: serde_json::Value = serde_json::from_str(json)
        .map_err(|error| ManifestError::NotJson { name: name(), reason: error.to_string() })?;
    match serde_json::from_value(json) {
        Ok(Shape::Apollo { format, version: 1, operations })
            if format == "apollo-persisted-query-manifest" =>
        {
            Ok(operations)
        }
        Ok(Shape::Texts(texts)) => {
            let mut texts: Vec<_> = texts.into_iter().collect();
            texts.sort_unstable();
            let operation = |(id, body)| Operation { id, name: None, body };
            Ok(texts.into_iter().map(operation).collect())
        }
        Ok(Shape::Apollo { .. }) | Err(_) => Err(ManifestError::NotAManifest { name: name() }),
    }
}

/// The first error of a reply, with its place in the document.
fn first_error(reply: &Reply) -> String {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = &body["errors"][0];
    let message = error["message"].as_str().unwrap_or_default();
    match (&error["locations"][0]["line"], &error["locations"][0]["column"]) {
        (serde_json::Value::Null, _) => message.to_owned(),
        (line, column) => format!("{message} (line {line}, column {column})"),
    }
}
