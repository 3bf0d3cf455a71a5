//! Programs in the pages are parts of files that other tests compile and run.
//!
//! A comment before a block names its file: `<!-- from FILE -->`. With `, with X for Y` in it, the
//! block has X where the file has Y, such as the path of a schema in the reader's own project.

use apollo_compiler::{ExecutableDocument, Schema};

use super::{pages, pieces, read};
use crate::tidy::assert_none;

/// The languages of blocks that are programs or their settings. The other blocks are commands,
/// output, requests and settings of other products.
const PROGRAMS: [&str; 8] = ["js", "ts", "tsx", "rust", "py", "toml", "yaml", "ini"];

/// Lines without their indentation, since a part of a file may be nested more deeply there.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// What is wrong with a block that follows this text, if anything.
fn fault(before: &str, block: &str) -> Option<String> {
    let (language, code) = block.split_once('\n')?;
    let marker = before.trim_end().lines().last().unwrap_or_default();
    let marker = marker.strip_prefix("<!-- from ").and_then(|rest| rest.strip_suffix(" -->"));
    let Some(marker) = marker else {
        return PROGRAMS.contains(&language).then(|| "is not from a tested file".to_owned());
    };

    let mut parts = marker.split(", with ");
    let path = parts.next().unwrap_or_default();
    let mut source = read(path);
    for (ours, theirs) in parts.filter_map(|part| part.split_once(" for ")) {
        source = source.replace(theirs, ours);
    }
    let (source, snippet) = (lines(&source), lines(code));
    let is_part = source.windows(snippet.len()).any(|window| window == snippet);
    (!is_part).then(|| format!("is not in {path}"))
}

#[test]
fn every_program_in_a_page_is_part_of_a_tested_file() {
    let mut broken = Vec::new();
    for page in pages() {
        let pieces: Vec<_> = pieces(&page.text).collect();
        for pair in pieces.windows(2).step_by(2) {
            if let Some(fault) = fault(pair[0], pair[1]) {
                let first = lines(pair[1]).get(1).copied().unwrap_or_default().to_owned();
                broken.push(format!("{}: the block `{first}` {fault}", page.path));
            }
        }
    }
    assert_none("pages show code that nothing tests", &broken);
}

#[test]
fn every_operation_in_a_page_is_valid() {
    let sdl = entourage::graphql::sdl();
    let schema = Schema::parse_and_validate(sdl, "schema.graphql").expect("a valid schema");
    let mut broken = Vec::new();
    for page in pages().into_iter().filter(|page| page.path.starts_with("docs/")) {
        for block in pieces(&page.text).filter_map(|piece| piece.strip_prefix("graphql\n")) {
            let document = ExecutableDocument::parse_and_validate(&schema, block, "block");
            broken.extend(document.err().map(|errors| format!("{}: {errors}", page.path)));
        }
    }
    assert_none("pages show operations that do not fit the schema", &broken);
}

#[test]
fn a_snippet_that_differs_from_its_file_is_found() {
    let block = "toml\n[profile.dev]\ndebug = \"line-tables-only\"";
    assert_eq!(fault("<!-- from Cargo.toml -->\n", block), None);
    assert_eq!(
        fault(
            "<!-- from Cargo.toml, with dev] for release] -->\n",
            "toml\n[profile.dev]\nlto = \"fat\""
        ),
        None
    );
    assert!(fault("<!-- from Cargo.toml -->\n", "toml\n[profile.dev]\nlto = true").is_some());
    assert!(fault("Text.\n", block).is_some(), "a program needs a file");
    assert_eq!(fault("Text.\n", "sh\nmake run"), None);
}
