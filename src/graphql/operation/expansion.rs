//! The size of a document, before and after its fragments are spread.
//!
//! A fragment that spreads another one twice, which spreads a third one twice, and so on, turns a
//! few hundred bytes into a huge operation. The validator and the executor would walk it for
//! minutes, and nothing could interrupt them. So the size is computed first: over all operations,
//! including what directives leave out, inspecting each fragment once.

use std::collections::HashMap;

use apollo_compiler::{
    Name,
    ast::{Definition, Document, FragmentDefinition, Selection},
};

use crate::{
    domain::Limits,
    graphql::{
        error::{Code, Failure},
        schema::NESTING_MAX,
    },
};

/// The most selections after spreading, for each token that a document may have. Only fragments
/// that are spread many times come near it.
const SELECTIONS_PER_TOKEN: u64 = 5;

/// Refuses a document that is too large, or would be with its fragments spread.
///
/// # Errors
/// `QUERY_TOO_LARGE` with too many selections, `QUERY_TOO_DEEP` if they nest deeper than
/// [`NESTING_MAX`], `QUERY_TOO_WIDE` with too many fragments, variables or directives.
pub(crate) fn check(document: &Document, limits: &Limits) -> Result<(), Failure> {
    let selections_max = SELECTIONS_PER_TOKEN * limits.tokens_max as u64;
    let mut expansion =
        Expansion { fragments: HashMap::new(), sizes: HashMap::new(), directives: 0 };
    let (mut fragments, mut variables) = (0, 0);
    for definition in &document.definitions {
        match definition {
            Definition::FragmentDefinition(fragment) => {
                fragments += 1;
                expansion.directives += fragment.directives.len();
                expansion.fragments.insert(&fragment.name, fragment);
            }
            Definition::OperationDefinition(operation) => {
                variables += operation.variables.len();
                let of_variables = operation.variables.iter().map(|v| v.directives.len());
                expansion.directives += operation.directives.len() + of_variables.sum::<usize>();
            }
            _ => {}
        }
    }
    check_count("fragments", fragments, limits.fragments_max)?;
    check_count("variables", variables, limits.variables_max)?;

    for definition in &document.definitions {
        let size = match definition {
            Definition::OperationDefinition(operation) => {
                expansion.size(&operation.selection_set, 1)?
            }
            Definition::FragmentDefinition(fragment) => expansion.fragment(&fragment.name, 1)?,
            _ => continue,
        };
        if size.selections > selections_max {
            let message = format!("the document has more than {selections_max} selections");
            return Err(Failure::new(Code::QueryTooLarge, message));
        }
    }
    check_count("directives", expansion.directives, limits.directives_max)
}

fn check_count(what: &str, count: usize, most: usize) -> Result<(), Failure> {
    if count > most {
        let message = format!("the document has more than {most} {what}");
        return Err(Failure::new(Code::QueryTooWide, message));
    }
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields, spreads and inline fragments.
    selections: u64,
    /// How deep they nest.
    nesting: usize,
}

struct Expansion<'a> {
    fragments: HashMap<&'a Name, &'a FragmentDefinition>,
    /// The sizes of fragments; zero while a fragment is being inspected.
    sizes: HashMap<&'a Name, Size>,
    /// Directives so far, before spreading.
    directives: usize,
}

impl<'a> Expansion<'a> {
    fn size(&mut self, selections: &'a [Selection], nesting: usize) -> Result<Size, Failure> {
        check_nesting(nesting)?;
        let mut size = Size::default();
        for selection in selections {
            let (below, directives) = match selection {
                Selection::Field(field) => {
                    (self.size(&field.selection_set, nesting + 1)?, &field.directives)
                }
                Selection::InlineFragment(inline) => {
                    (self.size(&inline.selection_set, nesting + 1)?, &inline.directives)
                }
                Selection::FragmentSpread(spread) => {
                    (self.fragment(&spread.fragment_name, nesting + 1)?, &spread.directives)
                }
            };
            self.directives += directives.len();
            size.selections = size.selections.saturating_add(below.selections).saturating_add(1);
            size.nesting = size.nesting.max(below.nesting + 1);
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Name, nesting: usize) -> Result<Size, Failure> {
        if let Some(size) = self.sizes.get(name) {
            check_nesting(nesting + size.nesting)?;
            return Ok(*size);
        }
        // The validator refuses a fragment that is missing or spreads itself.
        let Some(fragment) = self.fragments.get(name) else { return Ok(Size::default()) };
        self.sizes.insert(name, Size::default());
        let size = self.size(&fragment.selection_set, nesting)?;
        self.sizes.insert(name, size);
        Ok(size)
    }
}

fn check_nesting(nesting: usize) -> Result<(), Failure> {
    if nesting > NESTING_MAX {
        let message = format!("the document nests deeper than {NESTING_MAX}");
        return Err(Failure::new(Code::QueryTooDeep, message));
    }
    Ok(())
}
