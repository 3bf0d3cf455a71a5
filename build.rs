//! Tells cargo what the program is made of besides its Rust sources.

fn main() {
    // `sqlx::migrate!` reads the folder at compile time, and cargo would not know.
    println!("cargo::rerun-if-changed=migrations");
}
