//! An error with its causes, as one text. A leaf: whoever meets errors whose own words stop short
//! of the cause, as in "client error", may use it.

use std::error::Error;

/// An error and its causes, each behind the one that it caused; what was said already is not said
/// again.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}
