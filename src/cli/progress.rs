//! The progress bar of long commands.

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

/// The callback that advances the bar.
pub(super) fn moves(bar: &ProgressBar) -> impl Fn(Progress) + Send + Sync {
    |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}
