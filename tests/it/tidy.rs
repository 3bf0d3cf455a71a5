//! Rules about the sources that the compiler does not check.
//!
//! Each test reads the files that it applies to and lists every line that breaks its rule.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The layers, bottom to top: each may use those before it.
const LAYERS: [&str; 9] =
    ["domain", "store", "service", "transfer", "graphql", "http", "app", "config", "cli"];
/// Crates that only these files may name.
const CONFINED: [(&str, &[&str]); 5] = [
    ("sqlx", &["src/store/"]),
    ("axum", &["src/http/", "src/app.rs"]),
    ("async_graphql", &["src/graphql/", "src/http/live/library.rs"]),
    ("async_graphql_axum", &["src/http/live/library.rs"]),
    ("rust_embed", &["src/http/pages/"]),
];
/// The most lines of a file.
const LINES_MAX: usize = 600;
/// The text files of the project.
const TEXTS: [&str; 14] = [
    ".rs", ".md", ".sql", ".toml", ".sh", ".mjs", ".ts", ".tsx", ".py", ".html", ".json",
    ".graphql", "Makefile", "run",
];
/// Folders of generated or downloaded files.
const NOT_OURS: [&str; 7] =
    ["target", "node_modules", "dist", ".git", ".venv", "generated", "__generated__"];

/// A file, with its path from the root of the project.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The text with blanked comments, so that line numbers stay the same.
    fn code(&self) -> String {
        let code = |line: &'_ str| {
            let is_comment = line.trim_start().starts_with("//");
            if is_comment { "" } else { line }.split(" // ").next().unwrap_or_default().to_owned()
        };
        let lines = self.text.lines().map(code);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// `path:line`, for a place in the text.
    fn place(&self, text: &str, at: usize) -> String {
        format!("{}:{}", self.path, text[..at].lines().count().max(1))
    }

    /// The layer of the file; the topmost for `lib.rs` and `main.rs`.
    fn layer(&self) -> usize {
        let name = self.path.trim_start_matches("src/").split(['/', '.']).next();
        LAYERS.iter().position(|layer| Some(*layer) == name).unwrap_or(LAYERS.len() - 1)
    }
}

/// Every file below a folder whose name ends with one of `endings`.
pub(crate) fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(&root, &root.join(folder), endings, &mut found);
    assert!(!found.is_empty(), "no files in {folder}");
    found
}

fn collect(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !NOT_OURS.contains(&name.as_str()) {
            collect(root, &path, endings, found);
        } else if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(&path).expect("text is UTF-8");
            let path = path.strip_prefix(root).expect("below the root").display().to_string();
            found.push(Source { path, text });
        }
    }
}

#[track_caller]
pub(crate) fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

/// The first segments of all paths that start with `crate::`, with their offsets:
/// `use crate::{a, b::{c, d}}` has `a` and `b`.
fn paths_of_the_crate(code: &str) -> Vec<(usize, String)> {
    let name_at = |at: usize| -> String {
        code[at..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let after = at + start.len();
        if !code[after..].starts_with('{') {
            found.push((at, name_at(after)));
            continue;
        }
        let mut depth = 0;
        for (offset, c) in code[after..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 1 && (c == '{' || c == ',') {
                found.push((after + offset + 1, name_at(after + offset + 1)));
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn no_layer_imports_a_layer_above_it() {
    let mut broken = Vec::new();
    for source in files("src", &[".rs"]) {
        let code = source.code();
        let above = &LAYERS[source.layer() + 1..];
        let paths = paths_of_the_crate(&code).into_iter();
        for (at, name) in paths.filter(|(_, name)| above.contains(&name.as_str())) {
            broken.push(format!("{} uses {name}", source.place(&code, at)));
        }
    }
    assert_none(
        "the arrow is cli -> app -> http -> graphql -> transfer -> service -> store -> domain",
        &broken,
    );
}

#[test]
fn confined_crates_stay_in_their_layer() {
    let mut broken = Vec::new();
    for source in files("src", &[".rs"]) {
        let code = source.code();
        for (name, homes) in CONFINED {
            if homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            for (at, _) in code.match_indices(&format!("{name}::")) {
                broken.push(format!("{} names {name}", source.place(&code, at)));
            }
        }
    }
    assert_none("a crate is used outside its layer", &broken);
}

#[test]
fn every_file_starts_with_its_purpose() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(|folder| files(folder, &[".rs"]));
    let silent = all.filter(|source| !source.text.starts_with("//! "));
    let broken: Vec<_> = silent.map(|source| source.path).collect();
    assert_none("a file must start with `//!` and its purpose", &broken);
}

#[test]
fn no_file_is_too_long() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(|folder| files(folder, &[".rs"]));
    let long = all.filter(|source| source.text.lines().count() > LINES_MAX);
    let broken: Vec<_> = long.map(|source| source.path).collect();
    assert_none("a file must have at most 600 lines", &broken);
}

#[test]
fn sql_is_constant_text() {
    const SQL: [&str; 6] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WHERE ", "FROM "];
    let mut broken = Vec::new();
    for source in files("src", &[".rs"]) {
        let code = source.code();
        for escape in ["AssertSqlSafe", "QueryBuilder"] {
            for (at, _) in code.match_indices(escape) {
                broken.push(format!("{} names {escape}", source.place(&code, at)));
            }
        }
        for (at, _) in code.match_indices("format!(") {
            let end = code[at..].find(");").map_or(code.len(), |length| at + length);
            if SQL.iter().any(|word| code[at..end].contains(word)) {
                broken.push(format!("{} builds SQL", source.place(&code, at)));
            }
        }
    }
    assert_none("SQL must be constant, with parameters", &broken);
}

#[test]
fn statements_are_made_where_they_are_counted() {
    let mut broken = Vec::new();
    for source in files("src", &[".rs"]) {
        let code = source.code();
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        if source.path != "src/store/statement.rs" {
            let queries = ["sqlx::query(", "sqlx::query_as(", "sqlx::query_scalar("];
            let found = queries.iter().flat_map(|query| code.match_indices(query));
            broken.extend(
                found.map(|(start, query)| format!("{} {query}", source.place(code, start))),
            );
        }
    }
    assert_none("statements are made by the functions of store/statement.rs", &broken);
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    let machine = ["home", "root", "Users", "work"].map(|folder| format!("/{folder}/"));
    let mut broken = Vec::new();
    for source in files("", &TEXTS) {
        for (at, line) in source.text.lines().enumerate() {
            if let Some(path) = machine.iter().find(|path| line.contains(path.as_str())) {
                broken.push(format!("{}:{} names {path}", source.path, at + 1));
            }
        }
    }
    assert_none("paths of one machine do not exist on another", &broken);
}

#[test]
fn reliability_md_names_only_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reliability = fs::read_to_string(root.join("docs/reliability.md")).expect("it is there");
    let tests = files("tests", &[".rs"]);
    let is_test = |word: &str| {
        let function = format!("fn {word}(");
        tests.iter().any(|source| source.text.contains(&function))
    };
    let is_name = |word: &str| {
        word.contains('_') && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };

    let quoted = reliability.split('`').skip(1).step_by(2);
    let missing = quoted.filter(|word| {
        let is_path = word.starts_with("tests/") && !word.contains(' ');
        (is_path && !root.join(word).exists()) || (is_name(word) && !is_test(word))
    });
    let broken: Vec<_> = missing.map(str::to_owned).collect();
    assert_none("docs/reliability.md names missing tests or files", &broken);
}

#[test]
fn crate_paths_are_found_alone_and_in_groups() {
    let code =
        "use crate::{\n    domain::{User, service},\n    store,\n};\nlet x = crate::http::y;";
    let names: Vec<_> = paths_of_the_crate(code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["domain", "store", "", "http"]);
}
