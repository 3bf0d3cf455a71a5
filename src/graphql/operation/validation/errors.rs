//! The list of errors, which is as long as that of graphql-js: at most 100.

/// The most errors that are listed, before one that says that there are more.
const ERRORS_MAX: usize = 100;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub message: String,
    /// The places at fault, in bytes.
    pub offsets: Vec<usize>,
}

/// The errors so far. Errors past the limit are not kept, and their messages are never written.
#[derive(Default)]
pub(super) struct Errors {
    list: Vec<Violation>,
    /// The message that ends the list early.
    aborted: Option<&'static str>,
}

impl Errors {
    pub(super) fn report(
        &mut self,
        offsets: impl Into<Vec<usize>>,
        message: impl FnOnce() -> String,
    ) {
        if !self.is_closed() {
            self.list.push(Violation { message: message(), offsets: offsets.into() });
        }
    }

    /// Ends the list: what follows is not validated.
    pub(super) fn abort(&mut self) {
        self.aborted.get_or_insert("Validation aborted.");
    }

    pub(super) const fn is_aborted(&self) -> bool {
        self.aborted.is_some()
    }

    /// Whether further errors are not kept. One more than are listed is.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_aborted() || self.list.len() > ERRORS_MAX
    }

    /// How many further errors are kept.
    pub(super) const fn room(&self) -> usize {
        if self.is_closed() { 0 } else { ERRORS_MAX + 1 - self.list.len() }
    }

    pub(super) const fn count(&self) -> usize {
        self.list.len()
    }

    /// Inserts errors before others that are already there.
    pub(super) fn insert(&mut self, index: usize, errors: Self) {
        self.list.splice(index..index, errors.list);
    }

    pub(super) fn into_list(mut self) -> Vec<Violation> {
        if self.list.len() > ERRORS_MAX {
            self.list.truncate(ERRORS_MAX);
            self.aborted =
                Some("Too many validation errors, error limit reached. Validation aborted.");
        }
        let last = self.aborted.map(str::to_owned);
        self.list.extend(last.map(|message| Violation { message, offsets: Vec::new() }));
        self.list
    }
}
