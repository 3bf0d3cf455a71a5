//! Declares the inputs of the build that are not Rust sources, and lists the migrations.

use std::{env, fmt::Write, fs, io, path::Path};

fn main() -> io::Result<()> {
    // Macros read these folders at compile time, which cargo cannot see.
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=playground/dist");

    let mut text = String::new();
    for engine in ["sqlite", "postgres"] {
        text += &list_of_migrations(engine)?;
    }
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("migrations.rs"), text)
}

/// A constant with a row for each migration of an engine, in order: number, description and text.
/// `sqlx::migrate!` would do the same, but its crate compiles all of sqlx, TLS and SQLite once more
/// for the compiler.
fn list_of_migrations(engine: &str) -> io::Result<String> {
    let entries = fs::read_dir(format!("migrations/{engine}"))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();

    let name = engine.to_uppercase();
    let mut text = format!("pub(super) const {name}: &[(i64, &str, &str)] = &[\n");
    for file in names {
        let stem = file.strip_suffix(".sql").expect("a migration is a file of SQL");
        let (number, description) = stem.split_once('_').expect("its name is NNNN_words.sql");
        let number: i64 = number.parse().expect("its name begins with a number");
        let description = description.replace('_', " ");
        let path =
            format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/migrations/{engine}/{file}\")");
        writeln!(text, "({number}, {description:?}, include_str!({path})),").expect("to a String");
    }
    Ok(text + "];\n")
}
