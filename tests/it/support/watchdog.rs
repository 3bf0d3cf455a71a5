//! Ends the run with the names of the tests that hang. A test runner would wait for them for as long
//! as it lives itself.

use std::{
    collections::HashMap,
    io::{self, Write},
    process,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Three times what the longest test takes on a busy machine.
const LONGEST: Duration = Duration::from_mins(5);

/// The tests that run, by the names of their threads, and when they began.
static RUNNING: LazyLock<Mutex<HashMap<String, Instant>>> = LazyLock::new(|| {
    thread::spawn(watch);
    Mutex::default()
});

/// Longer runs were asked for.
static IS_OFF: AtomicBool = AtomicBool::new(false);

thread_local! {
    static WATCHED: Watched = Watched::begin();
}

/// A test until the end of its thread.
struct Watched(String);

impl Watched {
    fn begin() -> Self {
        let name = thread::current().name().unwrap_or_default().to_owned();
        running().insert(name.clone(), Instant::now());
        Self(name)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

fn running() -> MutexGuard<'static, HashMap<String, Instant>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches the test of this thread, unless it is one of the long fault runs.
pub(crate) fn watch_this_test() {
    // The runner gives each test a thread with its name, unless it runs them one by one.
    let is_test = thread::current().name().is_some_and(|name| name.contains("::"));
    if is_test && env!("CARGO_CRATE_NAME") == "it" {
        WATCHED.with(|_| ());
    }
}

/// Lets tests take as long as they want.
pub(crate) fn call_off() {
    IS_OFF.store(true, Relaxed);
}

#[expect(
    clippy::disallowed_methods,
    reason = "no test waits here, and nothing else can end a test that hangs"
)]
fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        let running = running();
        let hang = running.iter().filter(|(_, began)| began.elapsed() > LONGEST);
        let hang: Vec<_> = hang.map(|(name, _)| name.as_str()).collect();
        if !hang.is_empty() && !IS_OFF.load(Relaxed) {
            // `eprintln!` would be kept for the end of the test that began the watch.
            let names = hang.join(", ");
            let _ = writeln!(io::stderr(), "tests that run for more than {LONGEST:?}: {names}");
            process::exit(1);
        }
    }
}
