//! The `Dockerfile`, read: its stages and what they copy.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{file, read};
use crate::support::process::binary;

/// A stage: `FROM base`, and the instructions after it.
pub(super) struct Stage {
    pub(super) base: String,
    name: String,
    instructions: Vec<(String, String)>,
}

impl Stage {
    /// The arguments of all instructions of a kind, in order.
    pub(super) fn all(&self, kind: &'static str) -> impl Iterator<Item = &str> {
        self.instructions.iter().filter(move |(k, _)| k == kind).map(|(_, rest)| rest.as_str())
    }

    /// The arguments of the only instruction of a kind.
    #[track_caller]
    pub(super) fn only(&self, kind: &'static str) -> &str {
        let found: Vec<_> = self.all(kind).collect();
        assert_eq!(found.len(), 1, "{kind} of {}", self.base);
        found[0]
    }

    /// The sources of each `COPY`, with its target and the stage that they come from.
    pub(super) fn copies(&self) -> impl Iterator<Item = Copy<'_>> {
        self.all("COPY").map(|rest| {
            let (flags, mut paths): (Vec<_>, Vec<_>) =
                rest.split_whitespace().partition(|word| word.starts_with("--"));
            let flag = |name| flags.iter().find_map(|flag| flag.strip_prefix(name));
            let target = paths.pop().expect("a COPY has a target");
            Copy { stage: flag("--from="), owner: flag("--chown="), sources: paths, target }
        })
    }
}

/// One `COPY`.
pub(super) struct Copy<'a> {
    pub(super) stage: Option<&'a str>,
    pub(super) owner: Option<&'a str>,
    pub(super) sources: Vec<&'a str>,
    pub(super) target: &'a str,
}

/// The stages of the `Dockerfile`: pages, binary, and the image itself.
pub(super) fn stages() -> [Stage; 3] {
    let mut stages: Vec<Stage> = Vec::new();
    for line in read("Dockerfile").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (kind, rest) = line.split_once(' ').expect("an instruction");
        if kind == "FROM" {
            let (base, name) = rest.split_once(" AS ").unwrap_or((rest, ""));
            let (base, name) = (base.to_owned(), name.to_owned());
            stages.push(Stage { base, name, instructions: Vec::new() });
        } else {
            let stage = stages.last_mut().expect("FROM is the first instruction");
            stage.instructions.push((kind.to_owned(), rest.to_owned()));
        }
    }
    stages.try_into().map_err(|_| ()).expect("three stages")
}

/// The files of the project that the engine gets, in git or new.
fn context() -> Vec<String> {
    let files = listed(&["--cached", "--others", "--exclude-standard"]);
    files.lines().filter(|path| is_let_through(path)).map(str::to_owned).collect()
}

/// Whether `.dockerignore` lets a path through: the last rule about it decides.
fn is_let_through(path: &str) -> bool {
    let rules = read(".dockerignore");
    let rules = rules.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rules.fold(true, |is_in, rule| match rule.strip_prefix('!') {
        Some(rule) => is_in || matches(rule, path),
        None => is_in && !matches(rule, path),
    })
}

/// Whether a rule of `.dockerignore` is about a path: itself, a folder above it, or a name anywhere.
fn matches(rule: &str, path: &str) -> bool {
    match rule.strip_prefix("**/") {
        Some(name) => path.split('/').any(|part| part == name),
        None => rule == "*" || path == rule || path.starts_with(&format!("{rule}/")),
    }
}

/// The files that a stage copies from the project.
fn copied(stage: &Stage) -> Vec<String> {
    let sources: Vec<_> = stage.copies().filter(|copy| copy.stage.is_none()).collect();
    let sources: Vec<_> = sources.into_iter().flat_map(|copy| copy.sources).collect();
    let files = context();
    for source in &sources {
        assert!(files.iter().any(|file| matches(source, file)), "COPY {source}: nothing there");
    }
    files.into_iter().filter(|file| sources.iter().any(|source| matches(source, file))).collect()
}

fn version(base: &str) -> &str {
    let (_, tag) = base.split_once(':').expect("a tag");
    tag.split('-').next().expect("a version")
}

#[test]
fn the_images_have_the_oldest_supported_rust_and_node() {
    let [pages, rust, runtime] = stages();
    let package: serde_json::Value =
        serde_json::from_str(&read("playground/package.json")).expect("JSON");
    let node = package["engines"]["node"].as_str().expect("a version");
    assert_eq!(format!(">={}", version(&pages.base)), node);
    assert_eq!(version(&rust.base), env!("CARGO_PKG_RUST_VERSION"));
    // A binary runs on the C library that it was linked with, or a newer one.
    assert!(rust.base.ends_with("-slim-bookworm") && runtime.base.contains("-debian12:"));
    assert_eq!([pages.name, rust.name, runtime.name], ["pages", "binary", ""]);
}

#[test]
fn the_image_is_built_with_the_commands_of_the_makefile() {
    let [pages, rust, _] = stages();
    let makefile = read("Makefile").replace("$*", "playground");
    for command in pages.all("RUN") {
        assert!(makefile.contains(command), "{command}");
    }
    let build = rust.all("RUN").next().expect("a build");
    assert_eq!(build, "cargo build --locked --release --bin entourage");
}

/// The files of the project that went into the library and the binary: the compiler writes one list
/// for each that it builds, next to what it built. (Cargo's own list beside the binary exists only
/// after `cargo build`.) Lists of earlier builds may name files that have been removed since.
fn files_that_the_compiler_read() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_BIN_EXE_entourage")).with_file_name("deps");
    let lists = fs::read_dir(folder).expect("cargo builds there");
    let lists = lists.map(|entry| entry.expect("it is readable").path()).filter(|path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.starts_with("entourage-") && name.ends_with(".d")
    });
    let mut files = BTreeSet::new();
    for list in lists {
        let list = fs::read_to_string(list).expect("it is readable");
        let rules = list.lines().filter_map(|line| line.split_once(": "));
        files.extend(rules.flat_map(|(_, files)| files.split_whitespace()).map(PathBuf::from));
    }
    let root = file("").canonicalize().expect("it exists");
    let files = files.into_iter().filter_map(|path| root.join(path).canonicalize().ok());
    let files = files.filter_map(|path| Some(path.strip_prefix(&root).ok()?.to_owned()));
    let files = files.map(|path| path.to_string_lossy().into_owned());
    let no_sources = ["target/", "playground/dist/", "clippy.toml"]; // clippy leaves lists too
    files.filter(|path| !no_sources.iter().any(|other| path.starts_with(other))).collect()
}

#[test]
fn the_stages_copy_every_file_that_the_builds_read() {
    let [pages, rust, _] = stages();
    let copied_sources = copied(&rust);

    let read = files_that_the_compiler_read();
    for path in ["src/main.rs", "src/lib.rs"] {
        assert!(read.contains(path), "the lists lack {path}");
    }
    for path in read {
        let is_copied =
            |copied: &String| *copied == path || copied.starts_with(&format!("{path}/"));
        assert!(copied_sources.iter().any(is_copied), "the compiler reads {path}");
    }

    // Vite may read all of the playground.
    let pages = copied(&pages);
    let built = ["dist", "screenshots"].map(|folder| format!("playground/{folder}/"));
    for path in listed(&["playground"]).lines() {
        let is_built = built.iter().any(|folder| path.starts_with(folder));
        assert!(is_built || pages.iter().any(|page| page == path), "{path} is not copied");
    }
}

/// The files that git lists, one a line.
fn listed(arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    let output = git.arg("ls-files").args(arguments).current_dir(file("")).output();
    let output = output.expect("there is git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn cargo_accepts_the_sources_that_the_stage_copies() {
    let [_, rust, _] = stages();
    let folder = tempfile::tempdir().expect("a folder");
    for path in copied(&rust) {
        let copy = folder.path().join(&path);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("it is writable");
        fs::copy(file(&path), copy).expect("it is readable");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version=1"]);
    let output = cargo.current_dir(folder.path()).output().expect("there is cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_secret_and_nothing_built_here_gets_into_the_image() {
    for path in [
        ".env",
        "entourage.db",
        "entourage.secret",
        "target/release/entourage",
        "playground/node_modules/react/index.js",
        "playground/dist/index.html",
        "playground/src/app/generated/graphql.ts",
        ".git/config",
    ] {
        assert!(!is_let_through(path), "{path}");
    }
}

/// The words of an instruction in its JSON form.
pub(super) fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).expect("the JSON form, which needs no shell")
}

#[test]
fn the_instructions_of_the_image_are_commands_of_the_binary() {
    let [_, _, image] = stages();
    let program = "/usr/local/bin/entourage";
    assert_eq!(words(image.only("ENTRYPOINT")), [program]);
    let (_, check) = image.only("HEALTHCHECK").split_once("CMD ").expect("a command");
    assert_eq!(words(check), [program, "healthcheck"]);
    let help = binary(&PathBuf::from("/")).args(words(image.only("CMD"))).arg("--help").output();
    assert!(help.expect("it starts").status.success());
}
