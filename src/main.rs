//! The server's binary, a thin wrapper around [`entourage::cli`].

use std::process::ExitCode;

use tokio::runtime::Runtime;

/// An answer takes many small, short-lived allocations, on all cores at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return entourage::cli::failed(&error.into()),
    };

    let code = runtime.block_on(entourage::cli::run(std::env::args_os()));

    // After a second signal, do not wait for tasks that still run.
    runtime.shutdown_background();
    code
}
