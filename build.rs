//! Tells cargo what the program is made of besides its Rust sources.

fn main() {
    // Macros read these folders at compile time, and cargo would not know.
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=playground/dist");
}
