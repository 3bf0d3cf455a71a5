//! Persisted documents: requests that name a document instead of sending its text.
//!
//! A name is found in two places. *Trusted documents* come from the manifests that the build of a
//! client writes, and are loaded at startup. Other texts are *registered* on the way: a client
//! that sends a text together with its hash (Apollo's automatic persisted queries) may send the
//! hash alone from then on. If the server runs trusted documents only, it also takes the text of
//! one, since the same text is the same document.
//!
//! **Invariant:** only valid documents are registered, and their number and bytes are bounded.

mod canonical;
mod manifest;

use std::{borrow::Cow, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::{Weighter, sync::Cache};
use serde_json::{Map, Value};

pub use self::manifest::{Manifest, ManifestError};
use self::{
    canonical::{canonical, only_introspects},
    manifest::Trusted,
};
use super::document;
use crate::{
    domain::Limits,
    graphql::{
        Request,
        error::{Code, Failure},
        schema::Features,
    },
};

/// The most bytes of registered texts.
const REGISTERED_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// What a short text counts as, so that the number of texts is bounded too.
const REGISTERED_BYTES_MIN: u64 = 1024;
/// How many texts are cached with the answer who may run them.
const ADMITTED_MAX: usize = 1_000;
/// The longest text that is cached so, in bytes.
const ADMITTED_BYTES_MAX: usize = 16 * 1024;
/// The prefix of an id that is a SHA-256 hash. Manifests have it or not, and so have requests.
const SHA256_PREFIX: &str = "sha256:";

/// Which documents a server runs, and which of them have a name.
#[derive(Clone, Debug)]
pub struct DocumentRules {
    /// Whether clients may register texts by their hashes.
    pub registers: bool,
    /// Whether trusted documents run and nothing else.
    pub only_trusted: bool,
    trusted: Trusted,
}

impl Default for DocumentRules {
    /// Everything runs, and clients may register texts.
    fn default() -> Self {
        Self { registers: true, only_trusted: false, trusted: Trusted::default() }
    }
}

impl DocumentRules {
    /// Trusts the documents of a client's manifests, by id and by text.
    ///
    /// `features` are those of the schema that they must fit.
    ///
    /// # Errors
    /// If a file is not a manifest, or a document does not fit the schema or the limits.
    pub fn trust(
        &mut self,
        manifests: &[Manifest],
        features: Features,
        limits: Limits,
    ) -> Result<(), ManifestError> {
        self.trusted.load(manifests, features, limits)
    }

    /// Trusts documents by text alone. They are not validated now: those that do not fit the
    /// schema of this server are refused when they are sent, like any other text.
    pub fn trust_texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>, limits: &Limits) {
        for text in texts {
            self.trusted.add_text(text, limits);
        }
    }
}

/// Who may run a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Any caller.
    Everybody,
    /// Viewers with the permission `ADMIN`: an introspection that is not trusted.
    Admins,
}

/// The document that a request asks for.
pub(crate) struct Found<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) admission: Admission,
    /// The hash to register the text by, once it has proved valid.
    hash: Option<&'a str>,
}

/// Finds the documents of requests.
pub(crate) struct Persisted {
    rules: DocumentRules,
    limits: Limits,
    registered: Cache<String, Arc<str>, Bytes>,
    admitted: Cache<String, Admission>,
}

/// Weighs a registered text.
#[derive(Clone)]
struct Bytes;

impl Weighter<String, Arc<str>> for Bytes {
    fn weight(&self, _hash: &String, text: &Arc<str>) -> u64 {
        (text.len() as u64).max(REGISTERED_BYTES_MIN)
    }
}

impl Persisted {
    pub(crate) fn new(rules: DocumentRules, limits: Limits) -> Self {
        let count = usize::try_from(REGISTERED_BYTES_MAX / REGISTERED_BYTES_MIN / 4).unwrap_or(1);
        let registered = Cache::with_weighter(count, REGISTERED_BYTES_MAX, Bytes);
        Self { rules, limits, registered, admitted: Cache::new(ADMITTED_MAX) }
    }

    /// The document of a request. A text that is sent wins over a name.
    ///
    /// # Errors
    /// `PERSISTED_QUERY_NOT_FOUND` or `_NOT_SUPPORTED` for an unknown name, `PERSISTED_QUERY_ONLY`
    /// for a text that is not trusted if only those may run, `BAD_USER_INPUT` for a hash of
    /// another text.
    pub(crate) fn find<'a>(&self, request: &'a Request) -> Result<Found<'a>, Failure> {
        let hash = apollo_hash(&request.extensions)?;
        let Some(text) = request.query.as_deref() else {
            let id = request.document_id.as_deref().or(hash);
            return self.named(id.ok_or_else(|| bad_hash("sha256Hash is missing"))?);
        };

        let hash = hash.filter(|_| self.rules.registers);
        if hash.is_some_and(|hash| hash != sha256_hex(text)) {
            return Err(bad_hash("provided sha does not match query"));
        }
        Ok(Found { text: text.into(), admission: self.admit(text)?, hash })
    }

    fn named(&self, id: &str) -> Result<Found<'static>, Failure> {
        let id = id.strip_prefix(SHA256_PREFIX).unwrap_or(id);
        if let Some(text) = self.rules.trusted.by_id(id) {
            count("trusted");
            let text = Cow::Owned(text.to_owned());
            return Ok(Found { text, admission: Admission::Everybody, hash: None });
        }
        if let Some(text) = self.registered.get(id) {
            count("registered");
            let admission = self.admit(&text)?;
            return Ok(Found { text: Cow::Owned(text.as_ref().to_owned()), admission, hash: None });
        }

        count("unknown");
        // Apollo's client and urql compare these messages.
        if self.rules.registers || self.rules.trusted.has_ids() {
            return Err(Failure::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound"));
        }
        Err(Failure::new(Code::PersistedQueryNotSupported, "PersistedQueryNotSupported"))
    }

    /// Registers a document by its hash, after validation.
    pub(crate) fn register(&self, found: &Found<'_>) {
        if let Some(hash) = found.hash {
            self.registered.insert(hash.to_owned(), found.text.as_ref().into());
        }
    }

    /// Who may run a text. The text is parsed, not validated: what is refused here has met neither
    /// the schema nor its error messages.
    fn admit(&self, text: &str) -> Result<Admission, Failure> {
        if !self.rules.only_trusted {
            return Ok(Admission::Everybody);
        }
        if let Some(admission) = self.admitted.get(text) {
            return Ok(admission);
        }

        let ast = document::parsed(text, &self.limits);
        let admission = match ast {
            Some(ast) if self.rules.trusted.has_text(&canonical(&ast)) => Admission::Everybody,
            Some(ast) if only_introspects(&ast) => Admission::Admins,
            _ => {
                let message = "this server runs trusted documents only, and this is not one";
                return Err(Failure::new(Code::PersistedQueryOnly, message));
            }
        };
        if text.len() <= ADMITTED_BYTES_MAX {
            self.admitted.insert(text.to_owned(), admission);
        }
        Ok(admission)
    }
}

/// The hash in `extensions.persistedQuery`, if the request has that.
fn apollo_hash(extensions: &Map<String, Value>) -> Result<Option<&str>, Failure> {
    let Some(persisted) = extensions.get("persistedQuery").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    if persisted["version"] != 1 {
        let message = "Unsupported persisted query version";
        return Err(Failure::new(Code::BadUserInput, message)
            .with_argument("extensions.persistedQuery.version"));
    }
    persisted["sha256Hash"].as_str().map(Some).ok_or_else(|| bad_hash("sha256Hash is missing"))
}

fn bad_hash(message: &str) -> Failure {
    Failure::new(Code::BadUserInput, message).with_argument("extensions.persistedQuery.sha256Hash")
}

fn sha256_hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts a request without a text.
fn count(result: &'static str) {
    metrics::counter!("entourage_persisted_documents_total", "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_texts_are_bounded_in_number_and_bytes() {
        let persisted = Persisted::new(DocumentRules::default(), Limits::default());
        for bytes in [1, 100_000] {
            for i in 0..10_000 {
                let (hash, text) = (format!("{i} {bytes}"), "x".repeat(bytes));
                let admission = Admission::Everybody;
                persisted.register(&Found { text: text.into(), admission, hash: Some(&hash) });
            }
            assert!(persisted.registered.len() <= 8_192, "{}", persisted.registered.len());
            assert!(persisted.registered.weight() <= REGISTERED_BYTES_MAX);
        }
    }
}
