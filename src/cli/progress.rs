//! The progress bar of long commands.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::store::Progress;

/// A bar on stderr; hidden unless stderr is a terminal.
pub(super) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    // The template is constant; if it were invalid, the default bar would be shown.
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
    {
        bar.set_style(style);
    }
    bar
}

/// A sign of life on stderr, for work of an unknown length; hidden unless stderr is a terminal.
pub(super) fn spinner(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// The callback that advances the bar.
pub(super) fn moves(bar: &ProgressBar) -> impl Fn(Progress) + Send + Sync {
    |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}
