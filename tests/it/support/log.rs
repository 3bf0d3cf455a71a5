//! Captures what the program logs on the thread of a test, as lines of JSON.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{Level, subscriber::DefaultGuard};

/// Captures the log until it is dropped.
pub(crate) struct Log {
    written: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Starts capturing on this thread, at the default level.
    pub(crate) fn begin() -> Self {
        Self::at(Level::INFO)
    }

    /// The same at a level.
    pub(crate) fn at(level: Level) -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(level);
        let subscriber = subscriber.with_writer(move || writer.clone());
        Self { written, _guard: tracing::subscriber::set_default(subscriber.finish()) }
    }

    /// The fields of the lines that contain a text.
    pub(crate) fn fields_with(&self, text: &str) -> Vec<Value> {
        let line = |line: String| serde_json::from_str::<Value>(&line).expect("a line is JSON");
        self.lines_with(text).into_iter().map(|text| line(text)["fields"].clone()).collect()
    }

    /// The lines that contain a text.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<String> {
        let written = self.written.0.lock().expect("no writer panics");
        let written = String::from_utf8_lossy(&written);
        written.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}
