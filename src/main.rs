//! The server's binary. All that it does is in [`entourage::cli`].

use std::process::ExitCode;

use tokio::runtime::Runtime;

/// An answer is made of many small pieces that live shortly, on all cores at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return entourage::cli::failed(&error.into()),
    };

    let code = runtime.block_on(entourage::cli::run(std::env::args_os()));

    // Whoever asks twice for the end does not want to wait for what is still being done.
    runtime.shutdown_background();
    code
}
