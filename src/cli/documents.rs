//! The rules for documents, from the flags and the manifests that they name.

use std::fs;

use anyhow::Context;

use crate::{
    config::{Documents, Switch},
    domain::Limits,
    graphql::{DocumentRules, Features, Manifest},
};

/// Reads the manifests and checks every document in them against the schema of this server.
pub(super) fn load(
    documents: &Documents,
    features: Features,
    limits: Limits,
) -> anyhow::Result<DocumentRules> {
    let mut manifests = Vec::new();
    for path in documents.manifests() {
        let name = path.display().to_string();
        let json = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {name} (ENTOURAGE_DOCUMENTS)"))?;
        manifests.push(Manifest { name, json });
    }

    let mut rules = DocumentRules::default();
    rules.registers = documents.apq == Switch::On;
    rules.only_trusted = documents.only;
    rules.trust(&manifests, features, limits).context("ENTOURAGE_DOCUMENTS")?;
    Ok(rules)
}
