//! Declares the inputs of the build that are not Rust sources.

fn main() {
    // Macros read these folders at compile time, which cargo cannot see.
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=playground/dist");
}
